import { sameBytes, unsigned } from './bytes.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import { sequence, unsignedInteger } from './der_writer.ts'
import { curves } from './elliptic_curves.ts'
import { encodeAuthorityInfoAccess, encodeCrlDistributionPoints } from './information_urls.ts'
import { nameText } from './names.ts'
import { oid } from './oids.ts'
import { encodePem } from './pem.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import type { SignatureAlgorithm } from './signature_algorithms.ts'
import { verifySignature } from './signed.ts'
import { assembleCertificate, type TbsCertificate } from './tbs.ts'
import type { CertificateDecision } from './template.ts'

const sealed: unique symbol = Symbol('made by seal')

/** A certificate that was checked after its signature was made. Only `seal` makes one. */
export interface IssuedCertificate {
  readonly [sealed]: true
  readonly certificate: Certificate
  readonly der: Uint8Array
  readonly pem: string
  /** Leaf first, then the intermediates, no root: `status.certificate`. */
  readonly chainPem: string
  /** The root: `status.ca`. */
  readonly caPem: string
}

/**
 * Puts Key Vault's signature to what was signed. Nothing is returned unless the CA's key verifies
 * it and the certificate, read back, says what was decided.
 *
 * @param rawSignature as Key Vault gives it: r‖s for ECDSA (RFC 7518 §3.4)
 */
export function seal(tbs: TbsCertificate, rawSignature: Uint8Array): Parsed<IssuedCertificate> {
  return parsed(() => {
    const { authority } = tbs.decision
    const der = assembleCertificate(tbs, signatureOctets(tbs, rawSignature))
    const certificate = readBack(der)
    if (verifySignature(certificate.signed, authority.certificate.key) !== 'valid') {
      const name = nameText(authority.certificate.subject)
      refuse(
        'signature-wrong-key',
        `the signature is not by the key of the CA certificate for ${name} with ${tbs.algorithm.name}; the vault key and its version must be those of that certificate`,
      )
    }
    checkSame(certificate, tbs.decision)
    const pem = encodePem('CERTIFICATE', der)
    const intermediates = authority.intermediates.map((ca) => encodePem('CERTIFICATE', ca.der))
    const chainPem = [pem, ...intermediates].join('')
    const caPem = encodePem('CERTIFICATE', authority.root.der)
    return { [sealed]: true, certificate, der, pem, chainPem, caPem }
  })
}

function signatureOctets({ algorithm, decision }: TbsCertificate, raw: Uint8Array): Uint8Array {
  const { key } = decision.authority.certificate
  if (key.kind === 'rsa') return checkLength(algorithm, raw, key.bits / 8)
  const curve = curves.find((one) => one.name === algorithm.curve)
  if (curve === undefined) throw new TypeError(`${algorithm.name} has no curve`)
  const { coordinateLength, n } = curve
  checkLength(algorithm, raw, 2 * coordinateLength)
  const halves = [raw.subarray(0, coordinateLength), raw.subarray(coordinateLength)]
  for (const half of halves) {
    const value = unsigned(half)
    if (value === 0n || value >= n) {
      refuse('signature-range', `r or s of the ${algorithm.name} signature is out of range`)
    }
  }
  return sequence(...halves.map(unsignedInteger))
}

function checkLength({ name }: SignatureAlgorithm, raw: Uint8Array, length: number): Uint8Array {
  if (raw.length === length) return raw
  return refuse(
    'signature-length',
    `the ${name} signature has ${raw.length} octets; expected ${length} for the key of the CA`,
  )
}

function readBack(der: Uint8Array): Certificate {
  const certificate = parseCertificate(der)
  if (certificate.ok) return certificate.value
  return differs(`it cannot be read: ${certificate.refusal.message}`)
}

function checkSame(certificate: Certificate, decision: CertificateDecision): void {
  const { authority } = decision
  const { extensions } = certificate
  const { urls } = decision
  const extension = (id: string) => extensions.all.find((one) => one.oid === id)
  const subjectAltName = extension(oid.subjectAltName)
  const same: Readonly<Record<string, boolean>> = {
    serialNumber: sameBytes(certificate.serialNumber, decision.serialNumber),
    signature: sameBytes(certificate.signatureAlgorithm, authority.algorithm.identifier),
    issuer: sameBytes(certificate.issuer, authority.certificate.subject),
    notBefore: certificate.notBefore === decision.notBefore,
    notAfter: certificate.notAfter === decision.notAfter,
    subject: sameBytes(certificate.subject, decision.subject),
    subjectPublicKeyInfo: sameBytes(certificate.key.spki, decision.key.spki),
    cA: extensions.basicConstraints?.ca === decision.basicConstraints.ca,
    pathLenConstraint:
      extensions.basicConstraints?.pathLength === decision.basicConstraints.pathLength,
    keyUsage: (extensions.keyUsage ?? 0) === decision.keyUsage,
    extKeyUsage: String(extensions.extendedKeyUsage ?? []) === String(decision.purposes),
    subjectAltName: sameOctets(subjectAltName?.value, decision.subjectAltName?.value),
    subjectAltNameCritical: subjectAltName?.critical === decision.subjectAltName?.critical,
    subjectKeyIdentifier: sameOctets(
      extensions.subjectKeyIdentifier,
      decision.subjectKeyIdentifier,
    ),
    authorityKeyIdentifier: sameOctets(
      extensions.authorityKeyIdentifier,
      decision.authorityKeyIdentifier,
    ),
    crlDistributionPoints: sameOctets(
      extension(oid.crlDistributionPoints)?.value,
      encodeCrlDistributionPoints(urls),
    ),
    authorityInfoAccess: sameOctets(
      extension(oid.authorityInfoAccess)?.value,
      encodeAuthorityInfoAccess(urls),
    ),
  }
  const different = Object.keys(same).filter((field) => !same[field])
  if (different.length > 0) differs(`${different.join(', ')} of the certificate`)
}

function sameOctets(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameBytes(a, b)
}

function differs(what: string): never {
  return refuse(
    'certificate-differs',
    `the certificate is not what was decided and is not published: ${what}`,
  )
}
