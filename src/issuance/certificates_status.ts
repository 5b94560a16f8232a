import { type ConditionDraft, kubeTime } from '../api/conditions.ts'
import type { DirectoryEntry } from '../vault/certificate_directory.ts'

/** What an issuer shows of a Key Vault certificate that it delivers. */
export interface CertificateStatus {
  readonly name: string
  /** What new requests are given; absent where there is nothing to give. */
  readonly version?: string
  readonly notAfter?: string
  /** Why that is not Key Vault's latest version, or is none. */
  readonly reason?: string
}

const maxShown = 100
const maxNamed = 5
const maxReasonLength = 1024

export function certificatesStatus(
  offers: readonly DirectoryEntry[],
): readonly CertificateStatus[] {
  return offers.slice(0, maxShown).map(statusOf)
}

function statusOf({ name, current, trouble }: DirectoryEntry): CertificateStatus {
  return {
    name,
    ...(current && {
      version: current.version,
      notAfter: kubeTime(current.certificate.notAfter),
    }),
    ...(trouble && { reason: trouble.message.slice(0, maxReasonLength) }),
  }
}

/** Whether everything that is offered, and all who take it, are up to date. */
export function certificatesUsable(
  offers: readonly DirectoryEntry[],
  behind: readonly string[],
): Omit<ConditionDraft, 'observedGeneration'> {
  const faults = [...offers.flatMap(({ trouble }) => (trouble ? [trouble.message] : [])), ...behind]
  if (faults.length === 0) {
    const message = 'every certificate is delivered in its latest version'
    return { type: 'CertificatesUsable', status: 'True', reason: 'Usable', message }
  }
  const rest = faults.length > maxNamed ? `; and ${faults.length - maxNamed} more` : ''
  const named = faults.slice(0, maxNamed).map((fault) => fault.slice(0, maxReasonLength))
  return {
    type: 'CertificatesUsable',
    status: 'False',
    reason: offers.some(({ trouble }) => trouble) ? 'NotUsable' : 'VersionDoesNotFit',
    message: `${named.join('; ')}${rest}`,
  }
}
