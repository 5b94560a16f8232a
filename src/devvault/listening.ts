import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { invariant } from '../error.ts'
import { type Answer, readBody, send, type Target, targetOf } from './http.ts'

/** A server on loopback; a port of 0 is a free one. */
export async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  invariant(typeof address === 'object' && address !== null, 'the server listens on a port')
  return address.port
}

export async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeAllConnections()
  await closed
}

export interface PlainRequest {
  readonly method: string
  readonly target: Target
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A plain HTTP server; `drop` cuts the connection, and so does a request nobody can read. */
export function plainServer(answer: (request: PlainRequest) => Promise<Answer | 'drop'>): Server {
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const target = targetOf(request.url)
    const body = await readBody(request)
    if (target === undefined || body === undefined) {
      response.destroy()
      return
    }
    const { method = '', headers } = request
    const given = await answer({ method, target, headers, body })
    if (given === 'drop') response.destroy()
    else send(response, given)
  }
  return createHttpServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      complain(error)
      response.destroy()
    })
  })
}

export function complain(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`dev vault: ${text}\n`)
}
