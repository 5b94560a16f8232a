import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request, type Server } from 'node:https'
import { Socket } from 'node:net'
import type { KeyPairFiles } from '../harness/authority.ts'
import { RelayedWatch } from './relayed_watch.ts'

/** A request on its way through the relay. */
export interface Passing {
  /** `list` is the first page of one, `page` a further one. */
  readonly kind: 'list' | 'page' | 'watch' | 'other'
  readonly response: ServerResponse
  /** Breaks the connection to the client with an RST. */
  reset(): void
}

/** What becomes of requests while a fault lasts. Gives false for one that is to be passed on. */
export type Fault = (passing: Passing) => boolean | Promise<boolean>

export interface RelayOptions {
  /** The API server. */
  readonly url: string
  readonly caPem: string
  /** The relay's own certificate, for 127.0.0.1. */
  readonly serving: KeyPairFiles
}

/**
 * An HTTPS server before the API server that can do to its answers what networks and load balancers
 * do. It ends TLS, so a client is known to the API server by its token only.
 */
export class FaultRelay {
  /** Times at which first pages of lists and watches were asked for, `performance.now()`. */
  readonly asked = { list: [] as number[], watch: [] as number[] }
  /** Undefined: everything is passed on. */
  fault: Fault | undefined
  readonly #options: RelayOptions
  readonly #server: Server
  readonly #upstream: Agent
  /** TCP connections by the client's port: a TLS socket does not show its own. */
  readonly #connections = new Map<number, Socket>()
  readonly #watches = new Set<RelayedWatch>()

  private constructor(options: RelayOptions) {
    this.#options = options
    this.#upstream = new Agent({ keepAlive: true, ca: options.caPem })
    this.#server = createServer(secureContext(options.serving), (incoming, response) => {
      void this.#take(incoming, response)
    })
    // A client that does not trust our certificate breaks off.
    this.#server.on('tlsClientError', () => undefined)
    this.#server.on('connection', (connection) => {
      if (!(connection instanceof Socket)) return
      const port = connection.remotePort ?? 0
      this.#connections.set(port, connection)
      connection.on('error', () => undefined)
      connection.on('close', () => this.#connections.delete(port))
    })
  }

  static async start(options: RelayOptions): Promise<FaultRelay> {
    const relay = new FaultRelay(options)
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve))
    return relay
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the relay has ended')
    return address.port
  }

  /** Those open now. */
  get watches(): readonly RelayedWatch[] {
    return [...this.#watches]
  }

  /** Answers new connections with another certificate, and breaks those there are. */
  present(serving: KeyPairFiles): void {
    this.#server.setSecureContext(secureContext(serving))
    this.#server.closeAllConnections()
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#upstream.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const kind = kindOf(incoming.method, new URL(incoming.url ?? '/', this.url).searchParams)
    if (kind === 'list' || kind === 'watch') this.asked[kind].push(performance.now())
    const port = incoming.socket.remotePort ?? 0
    const reset = () => {
      this.#connections.get(port)?.resetAndDestroy()
    }
    response.on('error', () => undefined)
    if (await this.fault?.({ kind, response, reset })) incoming.resume()
    else this.#pass(incoming, response, kind === 'watch' ? reset : undefined)
  }

  #pass(incoming: IncomingMessage, response: ServerResponse, watch: (() => void) | undefined) {
    const { method, url } = incoming
    const { host: _, ...headers } = incoming.headers
    const call = request(
      new URL(url ?? '/', this.#options.url),
      { agent: this.#upstream, method, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, headersOf(answer))
        response.flushHeaders()
        if (watch === undefined) answer.pipe(response)
        else this.#follow(answer, response, watch)
        answer.on('error', () => response.destroy())
      },
    )
    call.on('error', () => response.destroy())
    response.on('close', () => call.destroy())
    incoming.pipe(call)
  }

  #follow(answer: IncomingMessage, response: ServerResponse, reset: () => void): void {
    const watch = new RelayedWatch(response, reset)
    this.#watches.add(watch)
    response.on('close', () => this.#watches.delete(watch))
    answer.on('data', (chunk: Uint8Array) => watch.pass(chunk))
    answer.on('end', () => watch.passEnd())
  }
}

function kindOf(method: string | undefined, query: URLSearchParams): Passing['kind'] {
  if (method !== 'GET') return 'other'
  if (query.has('watch')) return 'watch'
  if (query.has('continue')) return 'page'
  return query.has('limit') ? 'list' : 'other'
}

/** Without what belongs to the connection to the API server alone. */
function headersOf(answer: IncomingMessage): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && name !== 'transfer-encoding' && name !== 'connection') {
      headers[name] = value
    }
  }
  return headers
}

function secureContext({ cert, key }: KeyPairFiles): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) }
}
