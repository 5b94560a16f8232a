import type { Clock } from '../clock.ts'

/** An issuance takes one swap, and one more where cert-manager or Key Vault changed the key meanwhile. */
const freeSwaps = 3
const firstPauseMs = 2_000
const maxPauseMs = 300_000

/**
 * Slows down the swaps of a Certificate whose key is swapped more often than an issuance takes:
 * something throws away what we put in place.
 */
export class SwapPace {
  readonly #clock: Clock
  /** Since the last issuance that went well, by the Certificate's UID. */
  readonly #swaps = new Map<string, { readonly count: number; readonly notBefore: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds until the next swap may be; 0 for now. */
  pauseMs(uid: string): number {
    const { notBefore = 0 } = this.#swaps.get(uid) ?? {}
    return Math.max(0, notBefore - this.#clock.monotonic())
  }

  swapped(uid: string): void {
    const count = (this.#swaps.get(uid)?.count ?? 0) + 1
    const over = count - freeSwaps
    const pause = over < 0 ? 0 : Math.min(firstPauseMs * 2 ** over, maxPauseMs)
    this.#swaps.set(uid, { count, notBefore: this.#clock.monotonic() + pause })
  }

  /** The issuance went well, or the Certificate is gone. */
  forget(uid: string): void {
    this.#swaps.delete(uid)
  }
}
