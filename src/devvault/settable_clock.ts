import type { Clock } from '../clock.ts'
import type { State } from './state.ts'

/**
 * The time that vaults go by: the machine's, moved by what the admin API says. Tokens, quotas and
 * latencies stay on the machine's time, or clients would find their tokens expired.
 */
export class SettableClock {
  readonly #clock: Clock
  readonly #state: State

  constructor(clock: Clock, state: State) {
    this.#clock = clock
    this.#state = state
  }

  now(): number {
    return this.#clock.now() + this.#state.clockOffset
  }

  set(nowMs: number): void {
    this.#state.clockOffset = nowMs - this.#clock.now()
  }

  advance(ms: number): void {
    this.#state.clockOffset += ms
  }
}
