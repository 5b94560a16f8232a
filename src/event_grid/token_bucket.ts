import type { Clock } from '../clock.ts'

/** Lets through `perSecond` on average, and `burst` at once. */
export class TokenBucket {
  readonly #clock: Clock
  readonly #perMs: number
  readonly #burst: number
  #level: number
  #at: number

  constructor(clock: Clock, limits: { readonly perSecond: number; readonly burst: number }) {
    this.#clock = clock
    this.#perMs = limits.perSecond / 1_000
    this.#burst = limits.burst
    this.#level = limits.burst
    this.#at = clock.monotonic()
  }

  /** 0 when they were taken, else the milliseconds after which they can be. */
  take(count: number): number {
    const now = this.#clock.monotonic()
    this.#level = Math.min(this.#burst, this.#level + (now - this.#at) * this.#perMs)
    this.#at = now
    const missing = count - this.#level
    if (missing > 0) return Math.ceil(missing / this.#perMs)
    this.#level -= count
    return 0
  }
}
