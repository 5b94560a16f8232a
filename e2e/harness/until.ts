import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 25

/**
 * Asks `probe` again and again until it gives something other than undefined or false. A probe that
 * throws counts as "not yet"; its last error becomes the cause when `ms` have passed.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 30_000,
): Promise<T> {
  const end = performance.now() + ms
  let cause: unknown
  for (;;) {
    try {
      const found = await probe()
      if (found !== undefined && found !== false) return found
      cause = undefined
    } catch (error) {
      if (error instanceof GiveUp) throw error
      cause = error
    }
    if (performance.now() > end) {
      const last = cause instanceof Error ? `; last error: ${cause.message}` : ''
      throw new Error(`${what}: not within ${ms / 1000} s${last}`, { cause })
    }
    await delay(pollMs)
  }
}

/** Thrown by a probe to say that waiting longer cannot help. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp'
}
