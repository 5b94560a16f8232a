import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import type { Clock } from '../clock.ts'
import { issuerErrorFrom } from '../error.ts'
import type { Log } from '../log.ts'
import type { CredentialSource, Credentials } from './credentials.ts'

/** Credentials and the sockets opened with them. */
export interface Session {
  readonly credentials: Credentials
  readonly calls: Dispatcher
  readonly watches: Dispatcher
}

export interface ConnectionOptions {
  readonly source: CredentialSource
  readonly clock: Clock
  readonly log: Log
}

/**
 * One pool of sockets for calls and one for watches, kept over token renewals and replaced when the
 * CA, the client certificate or the server's address has changed. HTTP/1.1 only: over HTTP/2 all
 * watches share one TCP connection, and a half-open one was never given up (measured).
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #retired = new Set<Promise<void>>()
  #session: Session
  #fingerprint: string
  #readAt: number
  #reading: Promise<Session> | undefined

  private constructor(options: ConnectionOptions, credentials: Credentials) {
    this.#options = options
    this.#session = open(credentials)
    this.#fingerprint = fingerprint(credentials)
    this.#readAt = options.clock.monotonic()
  }

  /** Fails when the credentials cannot be read; does not call the server. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    return new Connection(options, await options.source.read(true))
  }

  /** The session to make a call with; its credentials were read at most 30 s ago. */
  async session(): Promise<Session> {
    if (this.#age() < rereadMs) return this.#session
    return await this.#read(false)
  }

  /**
   * Reads the credentials again because the server refused those of `used`, or could not be reached
   * with them. Gives `used` itself when they are the same, or were read half a second ago.
   */
  async renew(used: Session, why: 'refused' | 'unreachable'): Promise<Session> {
    if (this.#session !== used || this.#age() < rereadFloorMs) return this.#session
    return await this.#read(why === 'refused')
  }

  /** Breaks off everything in flight. */
  async close(): Promise<void> {
    await Promise.allSettled([
      this.#session.calls.destroy(),
      this.#session.watches.destroy(),
      ...this.#retired,
    ])
  }

  #age(): number {
    return this.#options.clock.monotonic() - this.#readAt
  }

  #read(fresh: boolean): Promise<Session> {
    this.#reading ??= this.#readOnce(fresh).finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readOnce(fresh: boolean): Promise<Session> {
    const { source, clock, log } = this.#options
    try {
      const credentials = await source.read(fresh)
      const now = fingerprint(credentials)
      if (now === this.#fingerprint) {
        // The same session says that asking again would be in vain.
        if (!isDeepStrictEqual(credentials.headers, this.#session.credentials.headers)) {
          this.#session = { ...this.#session, credentials }
        }
      } else {
        log.info('credentials of the API server changed: opening new connections', {
          source: source.origin,
        })
        this.#retire(this.#session)
        this.#session = open(credentials)
        this.#fingerprint = now
      }
    } catch (error) {
      // Mounted files are absent for a moment while they are replaced; the old ones may still do.
      log.warn('credentials could not be read again', {
        source: source.origin,
        error: issuerErrorFrom(error),
      })
    }
    this.#readAt = clock.monotonic()
    return this.#session
  }

  /** Lets calls and watches in flight end by themselves, which watches do within minutes. */
  #retire(session: Session): void {
    for (const pool of [session.calls, session.watches]) {
      const closing = pool.close().catch(() => undefined)
      this.#retired.add(closing)
      closing.finally(() => this.#retired.delete(closing))
    }
  }
}

function open(credentials: Credentials): Session {
  return {
    credentials,
    calls: dispatcher(credentials, { connections: maxCalls, maxResponseSize: maxResponseBytes }),
    watches: dispatcher(credentials, { maxResponseSize: -1 }),
  }
}

function dispatcher(credentials: Credentials, options: Agent.Options): Dispatcher {
  const common = {
    ...options,
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    connectTimeout: connectMs,
  }
  if (credentials.proxy !== undefined) {
    return new ProxyAgent({ ...common, uri: credentials.proxy, requestTls: credentials.tls })
  }
  return new Agent({ ...common, connect: { ...credentials.tls, ...keepAlive, timeout: connectMs } })
}

// What the sockets were opened with. Not the token: it goes with each call.
function fingerprint({ server, tls, proxy }: Credentials): string {
  const parts = [server.href, proxy, tls.servername, tls.ca, tls.cert, tls.key]
  return createHash('sha256').update(parts.map(String).join('\0')).digest('hex')
}

const rereadMs = 30_000
// Below the 0.75 s that a watch in trouble waits at least: each of its tries may bring the cure.
const rereadFloorMs = 500
const connectMs = 5_000
const maxCalls = 64
const maxResponseBytes = 128 * 1024 * 1024
// Shorter than the API server's own 90 s, so that it never closes a socket we are about to use.
const keepAliveMs = 30_000
// TCP keepalive under the idle limits of load balancers, as client-go.
const keepAlive = { keepAlive: true, keepAliveInitialDelay: 30_000 }
