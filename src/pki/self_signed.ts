import { sameBytes } from './bytes.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { noInformationUrls } from './information_urls.ts'
import { keyUsage } from './key_usage.ts'
import { lintRoot } from './lint.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import { signatureOctets } from './seal.ts'
import { algorithmsFor, digest, type SignatureAlgorithm } from './signature_algorithms.ts'
import { keyIdentifier, type SubjectKey } from './subject_key.ts'
import { assembleCertificate, encodeBody } from './tbs.ts'
import { serialNumberFrom } from './template.ts'

export interface RootRequest {
  /** Name, DER. */
  readonly subject: Uint8Array
  readonly key: SubjectKey
  /** How many CAs may stand below it, one under the other; any number when undefined. */
  readonly pathLength: number | undefined
  /** NameConstraints, DER. */
  readonly nameConstraints: Uint8Array | undefined
  /** Milliseconds since the Unix epoch, whole seconds. */
  readonly notBefore: number
  readonly notAfter: number
  /** `serialLength` octets from a cryptographic generator. */
  readonly serialBytes: Uint8Array
}

/** A root that its key has not signed yet. */
export interface RootDraft {
  readonly key: SubjectKey
  readonly serialNumber: Uint8Array
  /** The body of the certificate, DER. */
  readonly der: Uint8Array
  /** What Key Vault signs, under `algorithm.name`. */
  readonly digest: Uint8Array
  readonly algorithm: SignatureAlgorithm
}

/** Fixes every field of a root. It has no extKeyUsage: validators would bound all below it by that. */
export function draftRoot(request: RootRequest): Parsed<RootDraft> {
  return parsed(() => {
    const { key, subject, pathLength } = request
    const [algorithm] = algorithmsFor(key)
    if (algorithm === undefined) return refuse('ca-algorithm', 'Key Vault cannot sign with the key')
    const serialNumber = serialNumberFrom(request.serialBytes)
    const own = keyIdentifier(key)
    const der = encodeBody({
      authority: { algorithm, certificate: { subject } },
      serialNumber,
      notBefore: request.notBefore,
      notAfter: request.notAfter,
      subject,
      key,
      basicConstraints: { ca: true, pathLength },
      keyUsage: keyUsage.keyCertSign | keyUsage.cRLSign,
      purposes: [],
      subjectAltName: undefined,
      nameConstraints: request.nameConstraints,
      subjectKeyIdentifier: own,
      authorityKeyIdentifier: own,
      urls: noInformationUrls,
    })
    const unsigned = readCertificate(assembleCertificate(der, algorithm, new Uint8Array(1)))
    checkLints(unsigned)
    return { key, serialNumber, der, digest: digest(algorithm, der), algorithm }
  })
}

/**
 * Puts Key Vault's signature to a draft; refused unless it verifies with the key in it.
 *
 * @param rawSignature as Key Vault gives it: r‖s for ECDSA (RFC 7518 §3.4)
 */
export function sealRoot(draft: RootDraft, rawSignature: Uint8Array): Parsed<Certificate> {
  return parsed(() => {
    const { key, algorithm } = draft
    const signature = signatureOctets(algorithm, key, rawSignature)
    const certificate = readCertificate(assembleCertificate(draft.der, algorithm, signature))
    if (!certificate.selfSigned || !sameBytes(certificate.key.spki, key.spki)) {
      refuse('signature-wrong-key', 'the signature is not by the key of the root; nothing is kept')
    }
    return certificate
  })
}

function checkLints(certificate: Certificate): void {
  const findings = lintRoot(certificate)
  if (findings.length > 0) refuse('lint', `the root would break ${findings.join(', ')}`)
}
