import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import { isObject, type JsonObject, textAt } from '../json.ts'
import type { Log } from '../log.ts'
import { callOf, describeCall, type KubeCall } from './call.ts'
import { Connection, type Session } from './connection.ts'
import { type CredentialSource, type Credentials, credentialSource } from './credentials.ts'
import { failureFromAnswer, failureFromStatus, failureFromThrown, stoppedBy } from './failure.ts'
import { hedged } from './hedge.ts'
import { LineSplitter } from './line_splitter.ts'

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

interface RequestTarget {
  /** As `resourcePath` makes it. */
  readonly path: string
  readonly query?: Query
  /** Longest silence of the server, before its answer and inside it. Default 30,000. */
  readonly timeoutMs?: number
}

/** Only a PATCH has a choice of content type, and it has no default. */
export type KubeRequest = RequestTarget &
  (
    | { readonly method: 'GET' }
    | { readonly method: 'POST' | 'PUT'; readonly body: unknown }
    | { readonly method: 'PATCH'; readonly contentType: PatchType; readonly body: unknown }
    | { readonly method: 'DELETE'; readonly body?: unknown }
  )

export type PatchType =
  | 'application/json-patch+json'
  | 'application/merge-patch+json'
  | 'application/apply-patch+yaml'

export interface WatchRequest {
  readonly path: string
  readonly query?: Query
  /** A watch silent for this long is given up as half-open. Bookmarks come once a minute. */
  readonly idleTimeoutMs: number
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: JsonObject
}

export interface KubeClient {
  /** The API server's address. */
  readonly server: string
  /** Our own namespace: the pod's, or that of the kubeconfig's context. */
  readonly namespace: string | undefined
  /**
   * The answer, parsed. Throws `IssuerError`: a Kube* code by the server's status, `Aborted` (or the
   * signal's own reason when that is an `IssuerError`) when stopped.
   */
  request(request: KubeRequest, signal: AbortSignal): Promise<unknown>
  /**
   * Events until the server ends the watch. Throws as `request`, also for an `ERROR` event (410 is
   * KubeExpired) and for a line that is not an event.
   */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchEvent>
  /** Breaks off everything in flight. */
  close(): Promise<void>
}

/** One answer of the API server, or none: for metrics. */
export interface KubeCallResult extends KubeCall {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** Until the headers of the answer. */
  readonly ms: number
}

export interface KubeClientOptions {
  /** A kubeconfig file; default: the pod's ServiceAccount, else the default kubeconfig. */
  readonly kubeconfig?: string
  /** Credentials from elsewhere. */
  readonly source?: CredentialSource
  readonly userAgent: string
  readonly clock: Clock
  readonly log: Log
  readonly onCall?: (result: KubeCallResult) => void
}

/** Reads the credentials, and fails when they are unusable; does not call the server. */
export async function openKubeClient(options: KubeClientOptions): Promise<KubeClient> {
  const { clock, log } = options
  const source = options.source ?? (await credentialSource(options.kubeconfig))
  const connection = await Connection.open({ source, clock, log })
  const { credentials } = await connection.session()
  return new HttpKubeClient(options, connection, credentials)
}

type Exchange = Omit<Dispatcher.RequestOptions, 'origin' | 'headers' | 'signal'> & {
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

class HttpKubeClient implements KubeClient {
  readonly server: string
  readonly namespace: string | undefined
  readonly #options: KubeClientOptions
  readonly #connection: Connection

  constructor(options: KubeClientOptions, connection: Connection, credentials: Credentials) {
    this.#options = options
    this.#connection = connection
    this.server = withoutSlash(credentials.server.href)
    this.namespace = credentials.namespace
  }

  async request(request: KubeRequest, signal: AbortSignal): Promise<unknown> {
    const call = callOf(request.method, request.path)
    const timeoutMs = request.timeoutMs ?? defaultTimeoutMs
    return await this.#guard(call, signal, async () => {
      const body = 'body' in request ? JSON.stringify(request.body) : null
      const answer = await this.#send(call, 'calls', {
        method: request.method,
        path: withQuery(request.path, request.query),
        body,
        headers: {
          accept: 'application/json',
          ...(body !== null && {
            'content-type': request.method === 'PATCH' ? request.contentType : 'application/json',
          }),
        },
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal,
      })
      return parseAnswer(call, await answer.body.text())
    })
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const call = callOf('WATCH', request.path)
    const answer = await this.#guard(call, signal, () => this.#openWatch(call, request, signal))
    const chunks = answer.body[Symbol.asyncIterator]()
    const lines = new LineSplitter(maxLineBytes)
    try {
      for (;;) {
        const batch = await this.#guard(call, signal, async () => {
          const { value, done } = await chunks.next()
          if (!done) return lines.push(value)
          lines.end()
          return undefined
        })
        if (batch === undefined) return
        for (const line of batch) yield parseEvent(call, line)
      }
    } finally {
      answer.body.destroy()
    }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  #openWatch(
    call: KubeCall,
    { path, query, idleTimeoutMs }: WatchRequest,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const begin = (own: AbortSignal) =>
      this.#send(call, 'watches', {
        method: 'GET',
        path: withQuery(path, { ...query, watch: true }),
        headers: { accept: 'application/json' },
        // As long as the API server may let a request wait for its turn (a quarter of a minute).
        headersTimeout: Math.min(idleTimeoutMs, watchHeadersMs),
        bodyTimeout: idleTimeoutMs,
        signal: own,
      })
    // The headers come at once, before there is anything to tell (measured: 7 ms to 1 s), unless the
    // server is overloaded, where giving up would only make its queue longer.
    const { clock } = this.#options
    return hedged({ begin, discard: dropBody, everyMs: watchHedgeMs, clock }, signal)
  }

  async #guard<T>(call: KubeCall, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    if (signal.aborted) throw stoppedBy(signal)
    try {
      return await act()
    } catch (error) {
      if (signal.aborted) throw stoppedBy(signal)
      throw failureFromThrown(call, this.server, error)
    }
  }

  /**
   * The answer when it is 2xx. Asks again with credentials read anew: when the server refused those
   * it was given, and when there was no answer and asking twice does no harm.
   */
  async #send(
    call: KubeCall,
    pool: 'calls' | 'watches',
    request: Exchange,
  ): Promise<Dispatcher.ResponseData> {
    let session = await this.#connection.session()
    for (;;) {
      const result = await this.#exchange(call, session, pool, request).catch(
        (thrown: unknown) => ({
          thrown,
        }),
      )
      if ('thrown' in result) {
        if (request.signal.aborted) throw result.thrown
        // A rotated CA looks like this.
        const renewed = await this.#connection.renew(session, 'unreachable')
        if (renewed === session || request.method !== 'GET') throw result.thrown
        session = renewed
        continue
      }
      if (result.statusCode >= 200 && result.statusCode < 300) return result
      const text = await result.body.text()
      const renewed =
        result.statusCode === 401 ? await this.#connection.renew(session, 'refused') : session
      if (renewed === session) {
        const retryAfter = result.headers['retry-after']
        throw failureFromAnswer(call, result.statusCode, retryAfter?.toString(), text)
      }
      session = renewed
    }
  }

  async #exchange(
    call: KubeCall,
    session: Session,
    pool: 'calls' | 'watches',
    request: Exchange,
  ): Promise<Dispatcher.ResponseData> {
    const { clock, onCall, userAgent } = this.#options
    const { server, headers } = session.credentials
    const started = clock.monotonic()
    let status = 0
    try {
      const answer = await session[pool].request({
        ...request,
        origin: server.origin,
        path: withoutSlash(server.pathname) + request.path,
        headers: { ...headers, 'user-agent': userAgent, ...request.headers },
      })
      status = answer.statusCode
      return answer
    } finally {
      onCall?.({ ...call, status, ms: clock.monotonic() - started })
    }
  }
}

function dropBody({ body }: Dispatcher.ResponseData): void {
  body.destroy()
}

function withoutSlash(text: string): string {
  return text.endsWith('/') ? text.slice(0, -1) : text
}

function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value))
  }
  return search.size === 0 ? path : `${path}?${search}`
}

function parseAnswer(call: KubeCall, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new IssuerError('KubeUnavailable', `${describeCall(call)}: the answer is not JSON`)
  }
}

// Neither message quotes the line: it may hold a Secret.
function parseEvent(call: KubeCall, line: string): WatchEvent {
  const event = parseAnswer(call, line)
  const type = isObject(event) ? textAt(event, 'type') : undefined
  const object = isObject(event) ? event.object : undefined
  if (type === 'ERROR' && isObject(object)) throw failureFromStatus(call, object)
  if (!isEventType(type) || !isObject(object)) {
    throw new IssuerError('KubeUnavailable', `${describeCall(call)}: a line is not a watch event`)
  }
  return { type, object }
}

function isEventType(type: string | undefined): type is WatchEvent['type'] {
  return type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK'
}

const defaultTimeoutMs = 30_000
const watchHeadersMs = 15_000
// Below 2 s, in which a fault that is over shall be overcome.
const watchHedgeMs = 1_500
const maxLineBytes = 16 * 1024 * 1024
