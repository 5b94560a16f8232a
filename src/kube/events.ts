import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { type IssuerError, issuerErrorFrom } from '../error.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'
import { backoffMs } from './backoff.ts'
import type { KubeClient } from './client.ts'
import { EventSeries, eventKey, type KubeEvent } from './event_series.ts'
import { microTime } from './micro_time.ts'
import { resourcePath } from './resource_path.ts'

export type { EventRegarding, KubeEvent } from './event_series.ts'

export interface EventRecorderOptions {
  readonly client: KubeClient
  /** A qualified name: `keyvault.akv-issuer.io/akv-issuer`. */
  readonly reportingController: string
  /** This process, such as the pod's name; at most 128 characters. */
  readonly reportingInstance: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

interface Pending {
  readonly event: KubeEvent
  /** Wall clock, of the occurrence. */
  readonly at: number
  readonly write:
    | { readonly kind: 'create' }
    | { readonly kind: 'series'; name: string; count: number }
}

/**
 * Tells people of what happened, by Events of events.k8s.io/v1. Events are best effort: they never
 * fail or delay the work they tell of.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #series = new EventSeries()
  readonly #stop = new AbortController()
  readonly #pending: Pending[] = []
  #writing: Promise<void> | undefined
  #dropped = 0

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  /** Never throws. Written soon, unless the same was said of the same object before. */
  record(event: KubeEvent): void {
    const { clock } = this.#options
    if (this.#stop.signal.aborted) return
    const write = this.#series.occurred(event, clock.monotonic())
    if (write.kind === 'none') return
    if (this.#pending.length >= maxPending) {
      const oldest = this.#pending.shift()
      if (oldest !== undefined) this.#series.lost(oldest.event)
      this.#dropped++
    }
    this.#pending.push({ event, at: clock.now(), write })
    this.#writing ??= this.#writeAll()
  }

  /** Writes what is left, for at most 2 s, and ends the recorder. Never rejects. */
  async flush(): Promise<void> {
    const cancel = this.#options.clock.after(flushMs, () => this.#stop.abort())
    await this.#writing
    cancel()
    this.#stop.abort()
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    const { signal } = this.#stop
    while (this.#pending.length > 0 && !signal.aborted) {
      const batch = this.#pending.splice(0, writesAtOnce)
      await Promise.all(batch.map((pending) => this.#write(pending, signal)))
      this.#reportDropped()
    }
    this.#writing = undefined
  }

  async #write(pending: Pending, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options
    for (let tries = 1; ; tries++) {
      try {
        await this.#send(pending, signal)
        return
      } catch (thrown) {
        const error = issuerErrorFrom(thrown)
        if (error.retry !== 'backoff' || tries === maxTries || signal.aborted) {
          this.#giveUp(pending, error, log)
          return
        }
        const asked = Math.min(error.retryAfterMs ?? 0, retryBackoff.maxMs)
        const wait = Math.max(asked, backoffMs(tries, retryBackoff, random))
        await clock.sleep(wait, signal).catch(() => undefined)
      }
    }
  }

  async #send({ event, at, write }: Pending, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const namespace = event.regarding.namespace ?? clusterNamespace
    const collection = { group: 'events.k8s.io', version: 'v1', resource: 'events', namespace }
    if (write.kind === 'series') {
      await client.request(
        {
          method: 'PATCH',
          path: resourcePath({ ...collection, name: write.name }),
          contentType: 'application/merge-patch+json',
          body: { series: { count: write.count, lastObservedTime: microTime(at) } },
          timeoutMs,
        },
        signal,
      )
      return
    }
    const name = eventName(event)
    const body = this.#bodyOf(event, { name, namespace }, at)
    try {
      await client.request(
        { method: 'POST', path: resourcePath(collection), body, timeoutMs },
        signal,
      )
    } catch (thrown) {
      // Said already, by the process before this one or by a try whose answer was lost.
      if (issuerErrorFrom(thrown).code !== 'KubeAlreadyExists') throw thrown
    }
    this.#series.created(event, name)
  }

  #bodyOf(event: KubeEvent, metadata: { name: string; namespace: string }, at: number) {
    const { apiVersion, kind, namespace, name, uid } = event.regarding
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata,
      eventTime: microTime(at),
      reportingController: this.#options.reportingController,
      reportingInstance: this.#options.reportingInstance.slice(0, 128),
      action: (event.action ?? event.reason).slice(0, 128),
      reason: event.reason.slice(0, 128),
      regarding: { apiVersion, kind, ...(namespace !== undefined && { namespace }), name, uid },
      note: cutToBytes(event.note, maxNoteBytes),
      type: event.type,
    }
  }

  #giveUp({ event }: Pending, error: IssuerError, log: Log): void {
    this.#series.lost(event)
    if (error.retry === 'stop') return
    const { kind, namespace, name } = event.regarding
    log.warn('an Event could not be written', {
      kind,
      namespace,
      name,
      reason: event.reason,
      error,
    })
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return
    this.#options.log.warn('too many Events at once: the oldest were dropped', {
      dropped: this.#dropped,
    })
    this.#dropped = 0
  }
}

/** The same for the same event, so that it is not created twice. */
function eventName(event: KubeEvent): string {
  const digest = createHash('sha256').update(eventKey(event)).digest('hex').slice(0, 16)
  // Room for the digest within the 253 characters of a name.
  return `${event.regarding.name.slice(0, 230).replace(/[^a-z0-9]+$/, '')}.${digest}`
}

/** The longest beginning of `text` of at most `max` bytes in UTF-8, with an ellipsis when cut. */
export function cutToBytes(text: string, max: number): string {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= max) return bytes.toString('utf8')
  let end = max - ellipsisBytes
  // Not inside a character: its further bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return `${bytes.toString('utf8', 0, end)}…`
}

const ellipsisBytes = 3
const maxNoteBytes = 1024
// Where the API server wants events about objects without a namespace.
const clusterNamespace = 'default'
const maxPending = 1_000
const writesAtOnce = 4
const maxTries = 4
const retryBackoff = { baseMs: 500, maxMs: 10_000 }
const timeoutMs = 10_000
const flushMs = 2_000
