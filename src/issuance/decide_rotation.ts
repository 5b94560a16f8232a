import type { Certificate } from '../api/certificate.ts'
import { backoffMs } from '../kube/backoff.ts'
import { sameBytes } from '../pki/bytes.ts'
import type { Random } from '../random.ts'
import type { UsableVersion } from '../vault/version_choice.ts'

/** What is known of a Certificate that is not being issued, and of what it should have. */
export interface RotationFacts {
  readonly certificate: Certificate
  /** The leaf in its Secret, DER, if the Secret holds a pair that fits together. */
  readonly present: Uint8Array | undefined
  readonly offered: UsableVersion
  readonly tries: RotationTries | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Of the monotonic clock, in milliseconds. */
  readonly monotonic: number
}

/** Issuances that were set off for one version, should they have ended without it. */
export interface RotationTries {
  readonly version: string
  readonly count: number
  /** By the monotonic clock. */
  readonly notBefore: number
}

export type RotationStep =
  /** The Secret holds no pair: cert-manager issues by itself. */
  | { readonly kind: 'leave' }
  | { readonly kind: 'hasIt' }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'trigger' }

/** An issuance that we set off and somebody refused is set off again this much later. */
const retryBackoff = { baseMs: 60_000, maxMs: 3_600_000 }
/** cert-manager takes an old failure for a new one within the same second. */
const afterFailureMs = 2_000

/** Whether cert-manager is to be asked for a new issuance. Pure. */
export function decideRotation(facts: RotationFacts): RotationStep {
  const { certificate, present, offered, tries, now, monotonic } = facts
  if (present === undefined) return { kind: 'leave' }
  if (sameBytes(present, offered.certificate.der)) return { kind: 'hasIt' }
  const failedAt = Date.parse(certificate.lastFailureTime ?? '')
  const failurePause = Number.isNaN(failedAt) ? 0 : failedAt + afterFailureMs - now
  const retryPause = tries?.version === offered.version ? tries.notBefore - monotonic : 0
  const ms = Math.max(failurePause, retryPause)
  return ms > 0 ? { kind: 'pause', ms } : { kind: 'trigger' }
}

/** The tries with one more, made now. */
export function countTry(
  { tries, offered, monotonic }: Pick<RotationFacts, 'tries' | 'offered' | 'monotonic'>,
  random: Random,
): RotationTries {
  const { version } = offered
  const count = tries?.version === version ? tries.count + 1 : 1
  return { version, count, notBefore: monotonic + backoffMs(count, retryBackoff, random) }
}
