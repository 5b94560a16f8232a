import type { Random } from '../src/random.ts'

/** The same numbers for the same seed, from 1 on: Lehmer's generator (Park and Miller, 1993). */
export function seededRandom(seed: number): Random {
  let state = seed % modulus || 1
  const fraction = () => {
    state = (state * 48_271) % modulus
    return state / modulus
  }
  return {
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(fraction() * 256)),
    fraction,
  }
}

const modulus = 2_147_483_647
