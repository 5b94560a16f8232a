import type { ConditionDraft } from '../api/conditions.ts'
import type { NextCa, Signer } from './issuer_state.ts'
import type { Standing } from './standing.ts'

/** How far the Certificates of an issuer are with the CA that signs and the roots that go with it. */
export type RolloverProgress =
  /** There is no next CA, and nobody carries the roots of a rollover. */
  | { readonly kind: 'none' }
  /** Not all of them were looked at yet. */
  | { readonly kind: 'counting' }
  /** They cannot be looked at, or not issued anew. */
  | { readonly kind: 'stuck'; readonly message: string }
  | RolloverCounts

export interface RolloverCounts {
  readonly kind: 'counted'
  /** Those that take part and were issued once. */
  readonly total: number
  /** Those that have what they would be given now. */
  readonly current: number
  /** `namespace/name` of those whose last issuance failed; cert-manager has them back off. */
  readonly failed: readonly string[]
  /** `namespace/name` of those whose CertificateRequest is gone. */
  readonly unknown: readonly string[]
}

/** @param standings of each Certificate, by `namespace/name` */
export function countStandings(
  standings: readonly (readonly [string, Standing])[],
): RolloverCounts {
  const namesOf = (of: Standing) =>
    standings.flatMap(([name, standing]) => (standing === of ? [name] : [])).toSorted()
  return {
    kind: 'counted',
    total: standings.length - namesOf('apart').length,
    current: namesOf('current').length,
    failed: namesOf('failed'),
    unknown: namesOf('unknown'),
  }
}

/** The condition to wait for: True when every Certificate has come to the step that the spec asks for. */
export function rolloverCondition(
  signer: Signer,
  next: NextCa | undefined,
  progress: RolloverProgress,
): Omit<ConditionDraft, 'observedGeneration'> {
  const type = 'CARollover'
  if (next?.kind === 'broken') {
    const message = `spec.ca.next cannot be used, and spec.ca signs: ${next.message}`
    return { type, status: 'False', reason: 'NextInvalid', message }
  }
  if (progress.kind === 'none') {
    const message =
      'spec.ca.next is not set, and no CertificateRequest shows the roots of a rollover'
    return { type, status: 'True', reason: 'Settled', message }
  }
  if (progress.kind === 'counting') {
    const message = 'the Certificates of the issuer are being looked at'
    return { type, status: 'Unknown', reason: 'Counting', message }
  }
  if (progress.kind === 'stuck') {
    return { type, status: 'False', reason: 'CannotReissue', message: progress.message }
  }
  const isDone = progress.current === progress.total
  const done = next === undefined ? 'Settled' : next.active ? 'Active' : 'Published'
  return {
    type,
    status: isDone ? 'True' : 'False',
    reason: isDone ? done : 'Reissuing',
    message: [sentence(signer, next, progress), ...faults(progress)].join('; '),
  }
}

function sentence(
  { keyId, bundle }: Signer,
  next: NextCa | undefined,
  { current, total }: RolloverCounts,
): string {
  const roots = bundle.roots.length === 1 ? 'the one root' : `the ${bundle.roots.length} roots`
  const signed = next?.kind === 'proven' && next.active ? `are signed by ${keyId} and ` : ''
  return `${current} of ${total} Certificates ${signed}carry ${roots} of status.ca.roots`
}

function faults({ failed, unknown }: RolloverCounts): readonly string[] {
  return [
    ...(failed.length > 0
      ? [`${named(failed)} failed to be issued: see their CertificateRequests`]
      : []),
    ...(unknown.length > 0
      ? [
          `of ${named(unknown)} the CertificateRequest is gone, so that nobody knows what they carry: renew them (cmctl renew)`,
        ]
      : []),
  ]
}

function named(names: readonly string[]): string {
  const first = names.slice(0, maxNamed).join(', ')
  return names.length > maxNamed ? `${first} and ${names.length - maxNamed} more` : first
}

const maxNamed = 5
