import type { Clock } from '../clock.ts'
import { type IssuerError, issuerErrorFrom } from '../error.ts'
import { WorkQueue, type WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'
import { type IssuerState, vaultHostOf } from './issuer_state.ts'
import type { Waits } from './waits.ts'

/** What a loop does for requests of one kind. `T` is what is known of an open one. */
export interface RequestLoopOptions<T> {
  /** Of the queue. */
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Requests of one vault worked on at once; those waiting for its answer count. */
  readonly concurrency: number
  /** Told of trouble. */
  readonly waits: Waits
  /** By UID; `undefined` once it is answered or gone. */
  readonly find: (uid: string) => T | undefined
  readonly issuerState: (open: T) => IssuerState | undefined
  /** One try. What it throws is trouble. */
  readonly answer: (open: T, signal: AbortSignal) => Promise<WorkResult>
  /** Looks at the request as it is now: gone, another of the same name, or changed under us. */
  readonly reread: (open: T, signal: AbortSignal) => Promise<void>
  /** The request turned out to be gone. */
  readonly gone: (open: T) => void
  /** Tells people of trouble that lasts. */
  readonly tell: (open: T, error: IssuerError, signal: AbortSignal) => Promise<void>
  /** Asks for a probe of the issuer: something was refused that had been granted. */
  readonly recheckIssuer: (open: T) => void
}

/** Passing trouble is shown on a request only when it lasts, so that a short one costs no write. */
const troubleShownAfterMs = 5_000
/** A request whose issuer was found wanting looks again by itself, should no news come. */
const recheckMs = 60_000
/** Times a conflicting write is decided anew at once before the queue's back-off takes over. */
const conflictRounds = 4
const backoff = { baseMs: 500, maxMs: 60_000 }

/** Tries requests until they are answered: each by one worker at a time, vaults in turn. */
export class RequestLoop<T> {
  readonly #options: RequestLoopOptions<T>
  readonly #queue: WorkQueue
  readonly #troubleSince = new Map<string, number>()

  constructor(options: RequestLoopOptions<T>) {
    this.#options = options
    const { name, clock, random, log } = options
    this.#queue = new WorkQueue({
      name,
      // Room for other vaults beside one that is slow or throttles us.
      concurrency: 4 * options.concurrency,
      laneConcurrency: options.concurrency,
      backoff,
      clock,
      random,
      lane: (uid) => {
        const open = options.find(uid)
        const state = open && options.issuerState(open)
        return state?.kind === 'ready' ? vaultHostOf(state) : ''
      },
      work: (uid, signal) => this.#work(uid, signal),
      onError: (uid, error) => log.error('answering a request failed', { uid, error }),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#queue.run(signal)
  }

  get queue(): WorkQueue {
    return this.#queue
  }

  /** Asks for a try as soon as its turn comes. */
  add(uid: string): void {
    this.#queue.add(uid)
  }

  forget(uid: string): void {
    this.#troubleSince.delete(uid)
    this.#queue.forget(uid)
  }

  async #work(uid: string, signal: AbortSignal): Promise<WorkResult> {
    const { find, answer, reread } = this.#options
    for (let round = 0; ; round++) {
      const open = find(uid)
      if (open === undefined) return { kind: 'done' }
      try {
        const result = await answer(open, signal)
        this.#troubleSince.delete(uid)
        return result
      } catch (thrown) {
        signal.throwIfAborted()
        const error = issuerErrorFrom(thrown)
        if (error.retry === 'conflict' && round < conflictRounds) {
          await reread(open, signal)
          continue
        }
        return await this.#trouble(uid, open, error, signal)
      }
    }
  }

  async #trouble(
    uid: string,
    open: T,
    error: IssuerError,
    signal: AbortSignal,
  ): Promise<WorkResult> {
    const { clock, log, waits, recheckIssuer, gone, tell } = this.#options
    if (error.retry === 'stop') throw error
    if (error.code === 'KubeNotFound') {
      gone(open)
      return { kind: 'done' }
    }
    waits.troubled(uid, error.code)
    log.warn('request not answered yet', { uid, code: error.code, error: error.message })
    const since = this.#troubleSince.get(uid) ?? clock.monotonic()
    this.#troubleSince.set(uid, since)
    if (error.retry === 'change') recheckIssuer(open)
    const lasting = error.retry === 'change' || clock.monotonic() - since >= troubleShownAfterMs
    if (lasting && error.retry !== 'conflict') await tell(open, error, signal)
    if (error.retry === 'change') return { kind: 'after', ms: recheckMs }
    return {
      kind: 'retry',
      ...(error.retryAfterMs !== undefined && { afterMs: error.retryAfterMs }),
    }
  }
}
