import { sameBytes } from './bytes.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { encodeAuthorityInfoAccess, encodeCrlDistributionPoints } from './information_urls.ts'
import { lintCertificate } from './lint.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'
import type { CertificateDecision } from './template.ts'

/**
 * Reads a certificate back and refuses it unless it says what was decided and no lint finds fault.
 * Done before the signature with none in it, and after it: what Key Vault signs cannot be unsigned.
 */
export function checkAgrees(der: Uint8Array, decision: CertificateDecision): Certificate {
  const certificate = readCertificate(der, decision.key)
  const different = differences(certificate, decision)
  if (different.length > 0) {
    refuse(
      'certificate-differs',
      `the certificate is not what was decided and is not published: ${different.join(', ')}`,
    )
  }
  const findings = lintCertificate(certificate, decision.authority)
  if (findings.length > 0) {
    refuse('lint', `the certificate would break ${findings.join(', ')} and is not published`)
  }
  return certificate
}

function differences(certificate: Certificate, decision: CertificateDecision): readonly string[] {
  const { authority, urls } = decision
  const { extensions } = certificate
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
  return Object.keys(same).filter((field) => !same[field])
}

function sameOctets(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameBytes(a, b)
}
