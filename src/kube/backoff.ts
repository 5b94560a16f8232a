import type { Random } from '../random.ts'

/** Bounds of the delay after a failure, in milliseconds. */
export interface Backoff {
  readonly baseMs: number
  readonly maxMs: number
}

/**
 * The delay after the `failures`-th failure in a row: doubling from `baseMs` up to `maxMs`, of which
 * the upper half is random. Never above `maxMs`, never below half of `baseMs`.
 */
export function backoffMs(failures: number, { baseMs, maxMs }: Backoff, random: Random): number {
  // The exponent is bounded: 2 ** 1024 is Infinity, and Infinity * 0 is NaN.
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(failures, 1) - 1, 32))
  return (ceiling / 2) * (1 + random.fraction())
}
