import { Agent, type RequestOptions, request } from 'node:https'
import { at, type Json, parseJson } from './json.ts'

export interface ApiServer {
  readonly url: string
  readonly caPem: string
  readonly certPem: string
  readonly keyPem: string
}

export interface CallOptions {
  /** Impersonate this user. A service account's groups follow from its name. */
  readonly as?: string
  readonly contentType?: string
}

export interface Answer {
  readonly code: number
  /** Parsed; a string when the answer was not JSON. */
  readonly body: Json
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Calls the API server as one user with a client certificate, over kept-alive connections. */
export class ApiClient {
  readonly #server: ApiServer
  readonly #agent: Agent

  constructor(server: ApiServer) {
    this.#server = server
    this.#agent = new Agent({ keepAlive: true, maxSockets: 32, ...tlsOf(server) })
  }

  /**
   * @param path with the query
   * @param body a string is sent as it is, anything else as JSON. Default type: JSON, for PATCH a
   *   merge patch
   */
  async api(
    method: Method,
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<Answer> {
    const data = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const call = {
      method,
      agent: this.#agent,
      headers: {
        accept: 'application/json, */*',
        ...(data === undefined ? {} : { 'content-type': options.contentType ?? type }),
        ...(options.as === undefined ? {} : { 'impersonate-user': options.as }),
      },
    }
    const url = new URL(path, this.#server.url)
    try {
      return await exchange(url, call, data)
    } catch (error) {
      if (!(error instanceof ConnectionWasIdle)) throw error
      return await exchange(url, call, data)
    }
  }

  /** The body of a 2xx answer; throws with the server's message on any other. */
  async must(method: Method, path: string, body?: unknown, options?: CallOptions): Promise<Json> {
    const answer = await this.api(method, path, body, options)
    if (answer.code < 300) return answer.body
    throw new Error(`${method} ${path}: ${answer.code} ${messageOf(answer.body)}`)
  }

  close(): void {
    this.#agent.destroy()
  }
}

export function tlsOf(server: ApiServer): { ca: string; cert: string; key: string } {
  return { ca: server.caPem, cert: server.certPem, key: server.keyPem }
}

/** The server closed a kept-alive connection just as it was used again: the call was not seen. */
class ConnectionWasIdle extends Error {}

function exchange(url: URL, options: RequestOptions, data: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(url, options, (response) => {
      const isJson = /[/+]json\b/.test(response.headers['content-type'] ?? '')
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        resolve({ code: response.statusCode ?? 0, body: isJson ? parseJson(text) : text })
      })
    })
    call.on('error', (error: NodeJS.ErrnoException) => {
      const wasIdle = call.reusedSocket && error.code === 'ECONNRESET'
      reject(wasIdle ? new ConnectionWasIdle(error.message, { cause: error }) : error)
    })
    call.end(data)
  })
}

function messageOf(body: Json): string {
  if (typeof body === 'string') return body
  const message = at(body, 'message')
  return typeof message === 'string' ? message : JSON.stringify(body)
}
