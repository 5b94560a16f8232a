import type { Clock } from '../../src/clock.ts'
import type { FakeClock } from '../fake_clock.ts'

/**
 * The clock of a process that can be stopped: time goes on in it, and nothing happens. With `asleep`
 * its monotonic clock stands still too, as in a suspended machine.
 */
export class PausedMachine implements Clock {
  readonly #world: FakeClock
  readonly #skewMs: number
  #sleptMs = 0
  #pause: { readonly at: number; readonly asleep: boolean } | undefined
  #held: Array<() => void> = []

  constructor(world: FakeClock, skewMs: number) {
    this.#world = world
    this.#skewMs = skewMs
  }

  now(): number {
    return this.#world.now() + this.#skewMs
  }

  monotonic(): number {
    const { at, asleep } = this.#pause ?? { at: 0, asleep: false }
    return (asleep ? at : this.#world.monotonic()) - this.#sleptMs
  }

  uptime(): number {
    return this.#world.monotonic()
  }

  after(ms: number, callback: () => void): () => void {
    let isOn = true
    const cancel = this.#world.after(ms, () => {
      if (this.#pause === undefined) callback()
      else this.#held.push(() => isOn && callback())
    })
    return () => {
      isOn = false
      cancel()
    }
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = () => reject(signal.reason)
    const cancel = this.after(ms, resolve)
    signal.addEventListener('abort', stop, { once: true })
    try {
      await promise
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
    }
  }

  /** Resolves when the process runs. */
  running(): Promise<void> {
    if (this.#pause === undefined) return Promise.resolve()
    return new Promise((resolve) => this.#held.push(resolve))
  }

  pause(asleep: boolean): void {
    this.#pause ??= { at: this.#world.monotonic(), asleep }
  }

  resume(): void {
    if (this.#pause?.asleep) this.#sleptMs += this.#world.monotonic() - this.#pause.at
    this.#pause = undefined
    for (const act of this.#held.splice(0)) act()
  }
}
