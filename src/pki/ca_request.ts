import { type Authority, pathLengthLeft, pathOf } from './authority.ts'
import { sameBytes } from './bytes.ts'
import type { CertificateSigningRequest } from './csr.ts'
import { tags } from './der.ts'
import { objectIdentifier, sequence, tagged } from './der_writer.ts'
import type { BasicConstraints } from './extensions.ts'
import type { GeneralName } from './general_names.ts'
import type { ImposedConstraints } from './imposed_constraints.ts'
import { isEmptyName, nameText } from './names.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'

/** How deep the CAs may be that an issuer makes, and for which names. */
export interface CaLimits {
  readonly maxPathLength: number
  /** Set on each CA, critical; none when left out. */
  readonly nameConstraints?: ImposedConstraints | undefined
}

/**
 * A CA is found by its name (RFC 5280 §4.1.2.6). One that is asked for without a subject, as
 * cert-manager lets people do, is named by its first DNS name that can be a commonName.
 */
export function nameCa(csr: CertificateSigningRequest): CertificateSigningRequest {
  if (!isEmptyName(csr.subject)) return csr
  const name = csr.extensions.subjectAltName?.find(isCommonName)
  if (name?.kind !== 'dns') return csr
  const commonName = tagged(tags.utf8String, Buffer.from(name.value))
  const attribute = sequence(objectIdentifier(oid.commonName), commonName)
  return { ...csr, subject: sequence(tagged(tags.set, attribute)) }
}

/** basicConstraints of what is asked for; CAs only where the issuer's `limits` allow them. */
export function chooseBasicConstraints(
  csr: CertificateSigningRequest,
  isCA: boolean,
  limits: CaLimits | undefined,
  authority: Authority,
): BasicConstraints {
  const inCsr = csr.extensions.basicConstraints?.ca
  if (inCsr !== undefined && inCsr !== isCA) {
    refuse(
      'is-ca-contradiction',
      `the CSR says isCA ${inCsr} (basicConstraints) and the CertificateRequest says isCA ${isCA}; make them the same`,
    )
  }
  if (!isCA) return { ca: false, pathLength: undefined }
  if (limits === undefined) {
    return refuse(
      'is-ca-refused',
      'this issuer does not answer requests with isCA: true; ask for a certificate without isCA',
    )
  }
  checkSubject(csr.subject, authority)
  const left = pathLengthLeft(authority)
  if (left < 1) {
    const name = nameText(authority.certificate.subject)
    refuse(
      'ca-path-length',
      `no CA may stand below ${name}: the path length of its chain is used up`,
    )
  }
  return { ca: true, pathLength: Math.min(limits.maxPathLength, left - 1) }
}

function isCommonName(name: GeneralName): boolean {
  return name.kind === 'dns' && !name.value.startsWith('*') && name.value.length <= 64
}

/** No two CAs of a chain may share a name. */
function checkSubject(subject: Uint8Array, authority: Authority): void {
  if (isEmptyName(subject)) {
    refuse('ca-subject', 'a CA needs a subject; set commonName or subject in the Certificate')
  }
  if (pathOf(authority).some((ca) => sameBytes(ca.subject, subject))) {
    refuse(
      'ca-subject',
      `${nameText(subject)} is the name of a CA above; choose another commonName or subject`,
    )
  }
}
