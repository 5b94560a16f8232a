import { fastify } from 'fastify'
import type { Registry } from 'prom-client'

export interface ServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly registry: Registry
  /** The process can still do its work; else the kubelet restarts it. */
  readonly healthy: () => boolean
  /** A replica that leads has seen its requests and issuers; one that follows is ready to. */
  readonly ready: () => boolean
}

export interface RunningServer {
  /** `http://host:port` as bound. */
  readonly url: string
  close(): Promise<void>
}

/** Probes for the kubelet and metrics for Prometheus. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, port, registry, healthy, ready } = options
  const app = fastify({ logger: false })
  const probe = (isFine: () => boolean) => async (_: unknown, reply: Reply) => {
    const fine = isFine()
    await reply.code(fine ? 200 : 503).send(fine ? 'ok\n' : 'not now\n')
  }
  app.get('/livez', probe(healthy))
  app.get('/readyz', probe(ready))
  app.get('/metrics', async (_, reply) => {
    await reply.type(registry.contentType).send(await registry.metrics())
  })
  const url = await app.listen({ host, port })
  return { url, close: () => app.close() }
}

interface Reply {
  code(status: number): { send(body: string): unknown }
}
