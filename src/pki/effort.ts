import { unsigned } from './bytes.ts'
import { type Element, tags } from './der.ts'
import { expectTag } from './der_fields.ts'
import { refuse } from './refusal.ts'

/**
 * Hash rounds that one file may cost. PKCS #12's own derivation runs here, at about 1 to 3 µs a
 * round, and PBKDF2 in the thread pool; Key Vault's files need 14,000 of the first, Java's 500,000
 * at most by default.
 */
const limits = { pkcs12: 500_000, pbkdf2: 2_000_000 }

export type Derivation = keyof typeof limits

/** Counts what a file asks for, over all its parts: the sender chooses the iterations. */
export class Effort {
  readonly #left = { ...limits }

  /** Refuses what exceeds the limit; called before the rounds are run. */
  spend(derivation: Derivation, rounds: number): void {
    this.#left[derivation] -= rounds
    if (this.#left[derivation] >= 0) return
    refuse(
      'pfx-iterations',
      `the PFX asks for more than ${limits[derivation]} hash rounds to open it; write it again with fewer iterations (Key Vault uses 2000)`,
    )
  }
}

/** An iteration count; how many are too many is for `Effort` to say. */
export function readIterations(element: Element): number {
  const { content } = expectTag(element, tags.integer, 'an iteration count of the PFX')
  const negative = (content[0] ?? 0) >= 0x80
  const count = content.length > 4 ? Number.POSITIVE_INFINITY : Number(unsigned(content))
  if (negative || count === 0) refuse('pfx-iterations', 'an iteration count of the PFX is below 1')
  return count
}
