import { setTimeout as delay } from 'node:timers/promises'

/** Time, passed in so that tests can move it. All numbers are milliseconds. */
export interface Clock {
  /** Since the Unix epoch; may jump. For dates in certificates and conditions. */
  now(): number
  /** From an arbitrary start; never goes back. For waiting and measuring. */
  monotonic(): number
  /** Runs `callback` once after `ms`; the function returned cancels it. */
  after(ms: number, callback: () => void): () => void
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
  async sleep(ms, signal) {
    signal.throwIfAborted()
    try {
      await delay(ms, undefined, { signal })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  },
}
