import type { Certificate } from './certificate.ts'
import {
  bitString,
  derTrue,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  time,
  unsignedInteger,
} from './der_writer.ts'
import type { BasicConstraints } from './extensions.ts'
import { encodeAuthorityInfoAccess, encodeCrlDistributionPoints } from './information_urls.ts'
import { encodeKeyUsage } from './key_usage.ts'
import { oid } from './oids.ts'
import { digest, type SignatureAlgorithm } from './signature_algorithms.ts'
import type { CertificateContents, CertificateDecision } from './template.ts'

/** What the body of a certificate says, whoever is to sign it: a CA, or the key of the body itself. */
export interface BodyContents extends Omit<CertificateContents, 'authority' | 'notes'> {
  readonly authority: {
    readonly algorithm: SignatureAlgorithm
    readonly certificate: Pick<Certificate, 'subject'>
  }
}

const encoded: unique symbol = Symbol('made by encodeTbs')

/** A TBSCertificate ready to be signed. Only `encodeTbs` makes one, from a decision. */
export interface TbsCertificate {
  readonly [encoded]: true
  readonly decision: CertificateDecision
  readonly der: Uint8Array
  /** What Key Vault signs, under `algorithm.name`. */
  readonly digest: Uint8Array
  readonly algorithm: SignatureAlgorithm
}

/** What Key Vault is asked to sign: the octets that `decide` read back and checked. */
export function encodeTbs(decision: CertificateDecision): TbsCertificate {
  const { algorithm } = decision.authority
  const { der } = decision.draft.signed.body
  return { [encoded]: true, decision, der, digest: digest(algorithm, der), algorithm }
}

/** The DER of RFC 5280 §4.1.2; names, key and alternative names are the octets that were sent. */
export function encodeBody(contents: BodyContents): Uint8Array {
  const { authority, serialNumber, notBefore, notAfter, subject, key } = contents
  return sequence(
    explicit(0, unsignedInteger(Uint8Array.of(2))),
    unsignedInteger(serialNumber),
    authority.algorithm.identifier,
    authority.certificate.subject,
    sequence(time(notBefore), time(notAfter)),
    subject,
    key.spki,
    explicit(3, sequence(...encodeExtensions(contents))),
  )
}

/** Signature as X.509 holds it, not as Key Vault gives it. */
export function assembleCertificate(
  body: Uint8Array,
  algorithm: SignatureAlgorithm,
  signature: Uint8Array,
): Uint8Array {
  return sequence(body, algorithm.identifier, bitString(signature))
}

/** In one fixed order. */
function* encodeExtensions(contents: BodyContents): Generator<Uint8Array> {
  const { keyUsage, purposes, subjectAltName } = contents
  yield extension(oid.basicConstraints, true, encodeBasicConstraints(contents.basicConstraints))
  if (keyUsage !== 0) yield extension(oid.keyUsage, true, encodeKeyUsage(keyUsage))
  if (purposes.length > 0) {
    // RFC 3161 §2.3 wants it critical for time stamping.
    const critical = purposes.includes(oid.timeStamping)
    yield extension(oid.extKeyUsage, critical, sequence(...purposes.map(objectIdentifier)))
  }
  if (subjectAltName !== undefined) {
    yield extension(oid.subjectAltName, subjectAltName.critical, subjectAltName.value)
  }
  if (contents.nameConstraints !== undefined) {
    yield extension(oid.nameConstraints, true, contents.nameConstraints)
  }
  yield extension(oid.subjectKeyIdentifier, false, octetString(contents.subjectKeyIdentifier))
  const authorityKey = sequence(implicit(0, contents.authorityKeyIdentifier))
  yield extension(oid.authorityKeyIdentifier, false, authorityKey)
  const points = encodeCrlDistributionPoints(contents.urls)
  if (points !== undefined) yield extension(oid.crlDistributionPoints, false, points)
  const access = encodeAuthorityInfoAccess(contents.urls)
  if (access !== undefined) yield extension(oid.authorityInfoAccess, false, access)
}

/** Empty for a leaf, as cert-manager's own CA issuer writes it: FALSE is cA's default. */
export function encodeBasicConstraints({ ca, pathLength }: BasicConstraints): Uint8Array {
  if (!ca) return sequence()
  if (pathLength === undefined) return sequence(derTrue)
  return sequence(derTrue, unsignedInteger(Uint8Array.of(pathLength)))
}

export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const criticality = critical ? [derTrue] : []
  return sequence(objectIdentifier(id), ...criticality, octetString(value))
}
