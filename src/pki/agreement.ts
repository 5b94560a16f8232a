import { sameBytes } from './bytes.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { encodeAuthorityInfoAccess, encodeCrlDistributionPoints } from './information_urls.ts'
import { lintCertificate } from './lint.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'
import type { CertificateContents } from './template.ts'

/**
 * Reads a certificate back and refuses it unless it says what was decided and no lint finds fault.
 * Done before the signature with none in it: what Key Vault signs cannot be unsigned.
 */
export function checkAgrees(der: Uint8Array, contents: CertificateContents): Certificate {
  const certificate = readCertificate(der, { key: contents.key })
  const different = differences(certificate, contents)
  if (different.length > 0) {
    refuse(
      'certificate-differs',
      `the certificate is not what was decided and is not published: ${different.join(', ')}`,
    )
  }
  const findings = lintCertificate(certificate, contents.authority)
  if (findings.length > 0) {
    refuse('lint', `the certificate would break ${findings.join(', ')} and is not published`)
  }
  return certificate
}

function differences(certificate: Certificate, contents: CertificateContents): readonly string[] {
  const { authority, urls } = contents
  const { extensions } = certificate
  const extension = (id: string) => extensions.all.find((one) => one.oid === id)
  const subjectAltName = extension(oid.subjectAltName)
  const same: Readonly<Record<string, boolean>> = {
    serialNumber: sameBytes(certificate.serialNumber, contents.serialNumber),
    signature: sameBytes(certificate.signatureAlgorithm, authority.algorithm.identifier),
    issuer: sameBytes(certificate.issuer, authority.certificate.subject),
    notBefore: certificate.notBefore === contents.notBefore,
    notAfter: certificate.notAfter === contents.notAfter,
    subject: sameBytes(certificate.subject, contents.subject),
    subjectPublicKeyInfo: sameBytes(certificate.key.spki, contents.key.spki),
    cA: extensions.basicConstraints?.ca === contents.basicConstraints.ca,
    pathLenConstraint:
      extensions.basicConstraints?.pathLength === contents.basicConstraints.pathLength,
    keyUsage: (extensions.keyUsage ?? 0) === contents.keyUsage,
    extKeyUsage: String(extensions.extendedKeyUsage ?? []) === String(contents.purposes),
    subjectAltName: sameOctets(subjectAltName?.value, contents.subjectAltName?.value),
    subjectAltNameCritical: subjectAltName?.critical === contents.subjectAltName?.critical,
    nameConstraints: sameOctets(extension(oid.nameConstraints)?.value, contents.nameConstraints),
    subjectKeyIdentifier: sameOctets(
      extensions.subjectKeyIdentifier,
      contents.subjectKeyIdentifier,
    ),
    authorityKeyIdentifier: sameOctets(
      extensions.authorityKeyIdentifier,
      contents.authorityKeyIdentifier,
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
