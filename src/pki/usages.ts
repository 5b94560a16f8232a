import { type Authority, pathOf } from './authority.ts'
import type { CertificateSigningRequest } from './csr.ts'
import {
  type KeyUsage,
  keyUsage,
  keyUsageText,
  purposesText,
  readUsages,
  type Usages,
} from './key_usage.ts'
import { nameText } from './names.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'
import { describeKey, type SubjectKey } from './subject_key.ts'

export interface DecidedUsages extends Usages {
  readonly notes: readonly string[]
}

/** The usages asked for, as far as the key can serve them and, for a CA, as far as CAs have them. */
export function checkUsages(
  csr: CertificateSigningRequest,
  request: { readonly usages: readonly string[]; readonly isCA: boolean },
  authority: Authority,
): DecidedUsages {
  const asked = readUsages(request.usages, request.isCA)
  checkAgreement(csr, asked)
  checkSense(asked, request.isCA)
  checkNesting(asked.purposes, authority)

  const fit = asked.keyUsage & (request.isCA ? caBits : fitBits[csr.key.kind])
  const unfit = asked.keyUsage & ~fit
  if (unfit === 0) return { ...asked, notes: [] }
  const whose = request.isCA
    ? 'is not for CAs'
    : `is not for an end entity with an ${describeKey(csr.key)} key`
  const reason = `${keyUsageText(unfit)} ${whose}`
  if (fit === 0) {
    refuse('usage-unfit-for-key', `usage ${reason}; ask for "digital signature" in its place`)
  }
  return { ...asked, keyUsage: fit, notes: [`usage ${reason} and was left out`] }
}

/** A CSR that states usages must state those of the CertificateRequest; cert-manager compares both kinds if either is there. */
function checkAgreement({ extensions }: CertificateSigningRequest, asked: Usages): void {
  if (extensions.keyUsage === undefined && extensions.extendedKeyUsage === undefined) return
  const bits = extensions.keyUsage ?? 0
  if (bits !== asked.keyUsage) {
    refuse(
      'usages-contradiction',
      `the KeyUsages ${keyUsageText(bits)} of the CSR do not match the expected KeyUsages ${keyUsageText(asked.keyUsage)} of the request`,
    )
  }
  const purposes = extensions.extendedKeyUsage ?? []
  if (!sameSet(purposes, asked.purposes)) {
    refuse(
      'usages-contradiction',
      `the ExtKeyUsages ${purposesText(purposes)} of the CSR do not match the expected ExtKeyUsages ${purposesText(asked.purposes)} of the request`,
    )
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.every((one) => b.includes(one)) && b.every((one) => a.includes(one))
}

function checkSense({ keyUsage: bits, purposes }: Usages, isCA: boolean): void {
  if (!isCA && (bits & keyUsage.keyCertSign) !== 0) {
    refuse('usage-unfit-for-leaf', 'usage "cert sign" is for CAs; leave it out')
  }
  const half = bits & (keyUsage.encipherOnly | keyUsage.decipherOnly)
  if (half !== 0 && (bits & keyUsage.keyAgreement) === 0) {
    refuse(
      'usage-unfit-for-leaf',
      `usages ${keyUsageText(half)} mean nothing without "key agreement" (RFC 5280 §4.2.1.3)`,
    )
  }
  // RFC 3161 §2.3.
  if (purposes.includes(oid.timeStamping) && purposes.length > 1) {
    refuse('usage-unfit-for-leaf', 'usage "timestamping" must be the only key purpose')
  }
}

/** Go, OpenSSL and browsers take a CA's extKeyUsage as a bound for all below it. */
function checkNesting(purposes: readonly string[], authority: Authority): void {
  for (const { extensions, subject } of pathOf(authority)) {
    const allowed = extensions.extendedKeyUsage
    if (allowed === undefined || allowed.includes(oid.anyExtendedKeyUsage)) continue
    const outside = purposes.filter((purpose) => !allowed.includes(purpose))
    if (outside.length > 0) {
      refuse(
        'usage-outside-ca',
        `usages ${purposesText(outside)} are outside what the CA ${nameText(subject)} is limited to: ${purposesText(allowed)}`,
      )
    }
  }
}

const signatures = keyUsage.digitalSignature | keyUsage.contentCommitment
const agreement = keyUsage.keyAgreement | keyUsage.encipherOnly | keyUsage.decipherOnly

/**
 * What the key of an end entity can do. CRLs are for CAs to sign. cert-manager's default asks for key encipherment whatever the key is, so what
 * does not fit is left out, not refused.
 */
const fitBits: Readonly<Record<SubjectKey['kind'], KeyUsage>> = {
  // RFC 3279 §2.3.1
  rsa: signatures | keyUsage.keyEncipherment | keyUsage.dataEncipherment,
  // RFC 5480 §3, RFC 8813 §3
  ec: signatures | agreement,
  // RFC 8410 §5
  ed25519: signatures,
}

/** RFC 5280 §4.2.1.3 with §4.2.1.9: a CA signs, and does nothing else with its key. */
const caBits = keyUsage.keyCertSign | keyUsage.cRLSign | keyUsage.digitalSignature
