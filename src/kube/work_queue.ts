import { once } from 'node:events'
import type { Clock } from '../clock.ts'
import { type IssuerError, issuerErrorFrom } from '../error.ts'
import type { Random } from '../random.ts'
import { type Backoff, backoffMs } from './backoff.ts'

/** What is to become of a key after its work. */
export type WorkResult =
  | { readonly kind: 'done' }
  /** Look again after `ms`; not a failure. */
  | { readonly kind: 'after'; readonly ms: number }
  /** Try again after the back-off of this key, and not before `afterMs`. */
  | { readonly kind: 'retry'; readonly afterMs?: number }

/** How many keys a queue has, each in one state. */
export interface QueueCounts {
  /** Waiting for their turn. */
  readonly ready: number
  readonly running: number
  /** Their work failed, and waits for its next try. */
  readonly retrying: number
  /** To be looked at again later, though nothing failed. */
  readonly delayed: number
}

export interface WorkQueueOptions {
  /** For metrics. */
  readonly name: string
  /** Works on one key; may read anything anew. What it throws counts as `retry`. */
  readonly work: (key: string, signal: AbortSignal) => Promise<WorkResult>
  /** Told of what `work` threw, but for the stop of the queue. */
  readonly onError: (key: string, error: IssuerError) => void
  /** Keys of one lane wait for each other, lanes take turns: a vault, for instance. */
  readonly lane?: (key: string) => string
  /** Keys worked on at once. */
  readonly concurrency: number
  /** Of these, in one lane. Default: all. */
  readonly laneConcurrency?: number
  /** Default: 1 s doubling to 5 min. */
  readonly backoff?: Backoff
  readonly clock: Clock
  readonly random: Random
}

/**
 * Keys to be worked on, each by one worker at a time. A key added while it is being worked on is
 * worked on once more after; one added many times while it waits, once. A queue runs once.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #lanes = new Map<string, Lane>()
  /** The lane of each key that waits for its turn. */
  readonly #ready = new Map<string, Lane>()
  readonly #delayed = new Map<string, { readonly at: number; readonly cancel: () => void }>()
  readonly #running = new Map<string, { readonly since: number; readonly work: Promise<void> }>()
  /** Added while they were being worked on. */
  readonly #again = new Set<string>()
  readonly #failures = new Map<string, number>()
  #signal: AbortSignal | undefined

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get counts(): QueueCounts {
    const idle = [...this.#delayed.keys()].filter(
      (key) => !this.#ready.has(key) && !this.#running.has(key),
    )
    const retrying = idle.filter((key) => this.#failures.has(key)).length
    return {
      ready: this.#ready.size,
      running: this.#running.size,
      retrying,
      delayed: idle.length - retrying,
    }
  }

  /** For how long the work longest under way has been at it, in milliseconds; 0 when there is none. */
  get longestMs(): number {
    const [oldest] = this.#running.values()
    return oldest === undefined ? 0 : this.#options.clock.monotonic() - oldest.since
  }

  /** Asks for work on `key` as soon as its turn comes. */
  add(key: string): void {
    if (this.#signal?.aborted || this.#ready.has(key)) return
    if (this.#running.has(key)) {
      this.#again.add(key)
      return
    }
    const lane = this.#laneOf(key)
    lane.ready.add(key)
    this.#ready.set(key, lane)
    this.#start()
  }

  /** Asks for work on `key` after `ms`. Of several such wishes the earliest is kept. */
  addAfter(key: string, ms: number): void {
    if (this.#signal?.aborted) return
    const { clock } = this.#options
    // A timer beyond 2^31 - 1 ms would fire at once; one that comes early does no harm.
    const wait = Math.min(Math.max(ms, 0), maxDelayMs)
    const at = clock.monotonic() + wait
    const earlier = this.#delayed.get(key)
    if (earlier !== undefined && earlier.at <= at) return
    earlier?.cancel()
    const cancel = clock.after(wait, () => {
      this.#delayed.delete(key)
      this.add(key)
    })
    this.#delayed.set(key, { at, cancel })
  }

  /** Drops what is planned for `key`, and its failures. Work under way goes on. */
  forget(key: string): void {
    this.#delayed.get(key)?.cancel()
    this.#delayed.delete(key)
    const lane = this.#ready.get(key)
    this.#ready.delete(key)
    lane?.ready.delete(key)
    if (lane !== undefined) this.#dropIfIdle(lane)
    this.#again.delete(key)
    this.#failures.delete(key)
  }

  /** Works until `signal` is aborted; then starts nothing more and resolves when work has settled. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    this.#start()
    if (!signal.aborted) await once(signal, 'abort')
    for (const { cancel } of this.#delayed.values()) cancel()
    this.#delayed.clear()
    await Promise.all([...this.#running.values()].map(({ work }) => work))
  }

  #laneOf(key: string): Lane {
    const name = this.#options.lane?.(key) ?? ''
    const lane = this.#lanes.get(name) ?? { name, ready: new Set(), running: 0 }
    this.#lanes.set(name, lane)
    return lane
  }

  #dropIfIdle(lane: Lane): void {
    if (lane.running === 0 && lane.ready.size === 0) this.#lanes.delete(lane.name)
  }

  #start(): void {
    const signal = this.#signal
    if (signal === undefined) return
    while (!signal.aborted && this.#running.size < this.#options.concurrency) {
      const lane = this.#nextLane()
      const [key] = lane?.ready ?? []
      if (lane === undefined || key === undefined) return
      lane.ready.delete(key)
      lane.running++
      this.#ready.delete(key)
      // Not before the key counts as running: its work may add it again at once.
      const work = Promise.resolve().then(() => this.#work(key, lane, signal))
      this.#running.set(key, { since: this.#options.clock.monotonic(), work })
    }
  }

  /** The lane whose turn it is; it goes to the end of the row. */
  #nextLane(): Lane | undefined {
    const limit = this.#options.laneConcurrency ?? this.#options.concurrency
    for (const [name, lane] of this.#lanes) {
      if (lane.ready.size === 0 || lane.running >= limit) continue
      this.#lanes.delete(name)
      this.#lanes.set(name, lane)
      return lane
    }
    return undefined
  }

  async #work(key: string, lane: Lane, signal: AbortSignal): Promise<void> {
    // What was added up to here is seen by this work.
    this.#again.delete(key)
    const result = await this.#attempt(key, signal)
    this.#running.delete(key)
    lane.running--
    this.#dropIfIdle(lane)
    if (signal.aborted) return
    if (result.kind === 'retry') {
      this.addAfter(key, this.#retryMs(key, result.afterMs ?? 0))
    } else {
      this.#failures.delete(key)
      if (result.kind === 'after') this.addAfter(key, result.ms)
    }
    if (this.#again.delete(key)) this.add(key)
    this.#start()
  }

  async #attempt(key: string, signal: AbortSignal): Promise<WorkResult> {
    try {
      return await this.#options.work(key, signal)
    } catch (thrown) {
      const error = issuerErrorFrom(thrown)
      if (!signal.aborted) this.#options.onError(key, error)
      return error.retryAfterMs === undefined
        ? { kind: 'retry' }
        : { kind: 'retry', afterMs: error.retryAfterMs }
    }
  }

  #retryMs(key: string, afterMs: number): number {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    const { backoff = defaultBackoff, random } = this.#options
    return Math.max(afterMs, backoffMs(failures, backoff, random))
  }
}

interface Lane {
  readonly name: string
  /** In the order of their adding. */
  readonly ready: Set<string>
  running: number
}

const defaultBackoff: Backoff = { baseMs: 1_000, maxMs: 300_000 }
const maxDelayMs = 86_400_000
