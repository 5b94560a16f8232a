import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { Agent, get } from 'node:https'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { until } from '../until.ts'

export interface GatewayTarget {
  readonly port: number
  readonly host: string
  /** PEM: by whom the gateway's certificate is verified. */
  readonly roots: string
  /** PEM, for a gateway that asks for one. */
  readonly certificate?: { readonly chain: string; readonly key: string }
}

/**
 * A client that never stops: full TLS handshakes with a request each, one after the other, and
 * requests over one HTTP/1.1 and one HTTP/2 connection that are never made anew.
 */
export class GatewayClient {
  /** What went wrong, each a line. */
  readonly failures: string[] = []
  /** Full handshakes that were followed by an answer. */
  handshakes = 0
  /** Answers over the two connections that are held. */
  readonly held = { http1: 0, http2: 0 }
  /** When a leaf was first seen, by serial number, as `performance.now()`. */
  readonly #firstSeen = new Map<string, number>()
  readonly #target: GatewayTarget
  readonly #work: Promise<unknown>
  #stopped = false

  constructor(target: GatewayTarget) {
    this.#target = target
    this.#work = Promise.all([this.#shakeHands(), this.#holdHttp1(), this.#holdHttp2()])
  }

  /** When a handshake first showed the leaf of the serial number, as `performance.now()`. */
  async seen(serial: string, ms?: number): Promise<number> {
    return await until(`serial ${serial} on the wire`, () => this.#firstSeen.get(serial), ms)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#work
  }

  /** `1234 handshakes, 0 failures; 567 HTTP/1.1 and …`. */
  describe(): string {
    const { http1, http2 } = this.held
    return `${this.handshakes} handshakes, ${this.failures.length} failures; ${http1} HTTP/1.1 and ${http2} HTTP/2 requests over the held connections`
  }

  async #shakeHands(): Promise<void> {
    const seenInOrder: string[] = []
    while (!this.#stopped) {
      const begun = performance.now()
      const answer = await requestOnce(this.#target)
      if ('failure' in answer) {
        this.failures.push(`handshake ${this.handshakes + 1}: ${answer.failure}`)
        await delay(pauseMs)
        continue
      }
      this.handshakes++
      const { serial } = answer
      if (!this.#firstSeen.has(serial)) {
        this.#firstSeen.set(serial, answer.at)
        seenInOrder.push(serial)
      } else if (serial !== seenInOrder.at(-1)) {
        const since = begun - (this.#firstSeen.get(seenInOrder.at(-1) ?? '') ?? begun)
        this.failures.push(`${serial} again, ${since} ms after a newer one`)
      }
    }
  }

  async #holdHttp1(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...tlsOf(this.#target) })
    let first: Socket | undefined
    while (!this.#stopped) {
      try {
        const socket = await getOver(agent, this.#target)
        first ??= socket
        if (socket === first) this.held.http1++
        else this.failures.push('HTTP/1.1: the connection is another one')
      } catch (error) {
        this.failures.push(`HTTP/1.1: ${error instanceof Error ? error.message : String(error)}`)
      }
      await delay(pauseMs)
    }
    agent.destroy()
  }

  async #holdHttp2(): Promise<void> {
    const { host, port } = this.#target
    const session = connectHttp2(`https://${host}:${port}`, {
      createConnection: () => connect({ ...tlsOf(this.#target), ALPNProtocols: ['h2'] }),
    })
    session
      .on('error', (error: Error) => this.failures.push(`HTTP/2: ${error.message}`))
      .on('goaway', (code: number) => this.failures.push(`HTTP/2: GOAWAY ${code}`))
      .on('close', () => {
        if (!this.#stopped) this.failures.push('HTTP/2: the connection was closed')
      })
    while (!this.#stopped && !session.closed) {
      const status = await streamOver(session)
      if (status === 200) this.held.http2++
      else this.failures.push(`HTTP/2: ${status}`)
      await delay(pauseMs)
    }
    session.destroy()
  }
}

/** Between requests over a held connection, and after a failure. */
const pauseMs = 10

export type OneAnswer =
  | { readonly serial: string; readonly body: string; readonly at: number }
  | { readonly failure: string }

/** A full handshake, one request over HTTP/1.1, and the end of the connection. */
export function requestOnce(target: GatewayTarget): Promise<OneAnswer> {
  return new Promise((resolve) => {
    let text = ''
    let shaken: { serial: string; at: number } | undefined
    const socket: TLSSocket = connect({ ...tlsOf(target), ALPNProtocols: ['http/1.1'] })
    socket
      .setEncoding('utf8')
      .setTimeout(timeoutMs, () => socket.destroy(new Error(`silent for ${timeoutMs / 1000} s`)))
      .on('secureConnect', () => {
        const serial = socket.getPeerX509Certificate()?.serialNumber ?? ''
        shaken = { serial, at: performance.now() }
        socket.write(`GET / HTTP/1.1\r\nhost: ${target.host}\r\n\r\n`)
      })
      .on('data', (chunk: string) => {
        text += chunk
        const [head = '', body = ''] = text.split('\r\n\r\n')
        const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? Number.NaN)
        if (body.length !== length) return
        socket.end()
        if (shaken && head.startsWith('HTTP/1.1 200 ')) resolve({ ...shaken, body })
        else resolve({ failure: head })
      })
      .on('error', (error) => resolve({ failure: error.message }))
      .on('close', () => resolve({ failure: 'closed without an answer' }))
  })
}

const timeoutMs = 5_000

function getOver(agent: Agent, { host, port }: GatewayTarget): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const call = get({ agent, host: '127.0.0.1', port, headers: { host } }, (response) => {
      const { socket, statusCode } = response
      response.resume().on('end', () => {
        if (statusCode === 200) resolve(socket)
        else reject(new Error(`status ${statusCode}`))
      })
    })
    call.on('error', reject)
  })
}

/** The status, or what went wrong. */
function streamOver(session: ClientHttp2Session): Promise<unknown> {
  return new Promise((resolve) => {
    let status: unknown = 'no answer'
    const stream = session.request({ ':path': '/' })
    stream
      .on('response', (headers) => {
        status = headers[':status']
      })
      .on('error', (error: Error) => {
        status = error.message
      })
      .on('close', () => resolve(status))
      .resume()
      .end()
  })
}

function tlsOf({ port, host, roots, certificate }: GatewayTarget): ConnectionOptions {
  return {
    host: '127.0.0.1',
    port,
    servername: host,
    ca: roots,
    ...(certificate && { cert: certificate.chain, key: certificate.key }),
  }
}
