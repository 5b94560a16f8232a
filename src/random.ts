import { randomBytes } from 'node:crypto'

/** Randomness, passed in so that tests can fix it. */
export interface Random {
  /** `length` bytes from a cryptographic generator. */
  bytes(length: number): Uint8Array
  /** A number in [0, 1). For jitter only. */
  fraction(): number
}

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => Math.random(),
}

/** `ms` spread evenly over ±`share` of itself, so that many waiters do not wake together. */
export function jittered(ms: number, share: number, random: Random): number {
  return ms * (1 + share * (2 * random.fraction() - 1))
}
