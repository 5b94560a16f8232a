import type { Condition } from '../api/conditions.ts'
import type { Clock } from '../clock.ts'
import type { ErrorCode } from '../error.ts'
import type { IgnoreReason, Outcome } from './outcome.ts'

/** Why a request has no answer yet. */
export type WaitReason =
  /** Somebody has to change something, or what is in trouble has to get over it. */
  | ErrorCode
  | 'NotApproved'
  | 'IssuerNotProbed'
  /** cert-manager has to ask again, with the key from Key Vault. */
  | 'KeySwapped'
  /** It is at work, or about to be. */
  | 'Answering'

/** Requests that wait for the same reason. */
export interface Wait {
  readonly reason: WaitReason
  readonly count: number
  /** Of the one that has waited longest: milliseconds since its approval, or else its creation. */
  readonly oldestMs: number
}

/** What a wait is measured by. Times are RFC 3339. */
interface TimedRequest {
  readonly uid: string
  readonly creationTime: string | undefined
  readonly approved: Condition | undefined
}

interface Open {
  /** `undefined`: nobody is to answer it, or it was answered. */
  reason: WaitReason | undefined
  inTrouble: boolean
  /** Milliseconds since the epoch, both. */
  readonly created: number
  approved: number | undefined
}

/** Why each request without an answer has none, and since when. */
export class Waits {
  readonly #clock: Clock
  readonly #byUid = new Map<string, Open>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** By reason. */
  list(): readonly Wait[] {
    const now = this.#clock.now()
    const byReason = new Map<WaitReason, Wait>()
    for (const { reason, created, approved } of this.#byUid.values()) {
      if (reason === undefined) continue
      const { count, oldestMs } = byReason.get(reason) ?? { count: 0, oldestMs: 0 }
      const ageMs = now - (approved ?? created)
      byReason.set(reason, { reason, count: count + 1, oldestMs: Math.max(oldestMs, ageMs) })
    }
    return [...byReason.values()]
  }

  /** A watch shows a request without an answer. */
  seen({ uid, creationTime, approved }: TimedRequest): void {
    const now = this.#clock.now()
    const open: Open = this.#byUid.get(uid) ?? {
      reason: 'Answering',
      inTrouble: false,
      created: momentOf(creationTime, now),
      approved: undefined,
    }
    open.approved ??= approved && momentOf(approved.lastTransitionTime, now)
    this.#byUid.set(uid, open)
  }

  decided(uid: string, outcome: Outcome): void {
    const open = this.#byUid.get(uid)
    const reason = reasonOf(outcome)
    // A try that follows trouble is in it until it has gone well.
    if (open === undefined || (reason === 'Answering' && open.inTrouble)) return
    open.reason = reason
    open.inTrouble = false
  }

  /** A try ended in trouble, and will be made again. */
  troubled(uid: string, code: ErrorCode): void {
    const open = this.#byUid.get(uid)
    if (open === undefined) return
    open.reason = code
    open.inTrouble = true
  }

  /**
   * Begins with the last word on a request. By the time the API server has said that it took it, a
   * watch may have shown it, and the request may be forgotten.
   *
   * @returns to be called once it was taken: milliseconds since the request was approved, if it was
   */
  answering(uid: string): () => number | undefined {
    const open = this.#byUid.get(uid)
    return () => {
      if (open === undefined) return undefined
      open.reason = undefined
      const { approved } = open
      return approved === undefined ? undefined : Math.max(0, this.#clock.now() - approved)
    }
  }

  forget(uid: string): void {
    this.#byUid.delete(uid)
  }
}

/** Of what is ignored, that which waits for something; the rest is not for us to answer. */
const waiting: ReadonlyMap<IgnoreReason, WaitReason> = new Map([
  ['NotApproved', 'NotApproved'],
  ['IssuerNotProbed', 'IssuerNotProbed'],
])

function reasonOf(outcome: Outcome): WaitReason | undefined {
  if (outcome.kind === 'ignore') return waiting.get(outcome.why)
  if (outcome.kind === 'wait') return outcome.code
  return outcome.kind === 'swapKey' ? 'KeySwapped' : 'Answering'
}

/**
 * Kubernetes keeps whole seconds. What happened in that second happened, at the latest, when we saw
 * it, so that an age is never too long and at most a second too short.
 */
function momentOf(time: string | undefined, seen: number): number {
  const second = Date.parse(time ?? '')
  return Number.isNaN(second) ? seen : Math.min(second + 999, seen)
}
