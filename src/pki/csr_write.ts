import { type CertificateSigningRequest, parseCsr } from './csr.ts'
import { tags } from './der.ts'
import {
  bitString,
  objectIdentifier,
  octetString,
  sequence,
  tagged,
  unsignedInteger,
} from './der_writer.ts'
import { encodeKeyUsage, keyUsage } from './key_usage.ts'
import { oid } from './oids.ts'
import { encodePem } from './pem.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import { signatureOctets } from './seal.ts'
import { algorithmsFor, digest, type SignatureAlgorithm } from './signature_algorithms.ts'
import { keyIdentifier, type SubjectKey } from './subject_key.ts'
import { encodeBasicConstraints, extension } from './tbs.ts'

export interface CaCsrRequest {
  /** Name, DER. */
  readonly subject: Uint8Array
  readonly key: SubjectKey
  /** As asked for; whoever signs may give another. */
  readonly pathLength: number | undefined
  /** NameConstraints, DER. */
  readonly nameConstraints: Uint8Array | undefined
}

/** A certification request that its key has not signed yet. */
export interface CsrDraft {
  readonly key: SubjectKey
  /** CertificationRequestInfo, DER. */
  readonly der: Uint8Array
  /** What Key Vault signs, under `algorithm.name`. */
  readonly digest: Uint8Array
  readonly algorithm: SignatureAlgorithm
}

export interface SealedCsr {
  readonly csr: CertificateSigningRequest
  readonly pem: string
}

/** A request for the certificate of a CA (RFC 2986), with the extensions that such a one has. */
export function draftCaCsr(request: CaCsrRequest): Parsed<CsrDraft> {
  return parsed(() => {
    const { subject, key, pathLength, nameConstraints } = request
    const [algorithm] = algorithmsFor(key)
    if (algorithm === undefined) return refuse('ca-algorithm', 'Key Vault cannot sign with the key')
    const extensions = [
      extension(oid.basicConstraints, true, encodeBasicConstraints({ ca: true, pathLength })),
      extension(oid.keyUsage, true, encodeKeyUsage(keyUsage.keyCertSign | keyUsage.cRLSign)),
      ...(nameConstraints ? [extension(oid.nameConstraints, true, nameConstraints)] : []),
      extension(oid.subjectKeyIdentifier, false, octetString(keyIdentifier(key))),
    ]
    const wanted = tagged(tags.set, sequence(...extensions))
    const attribute = sequence(objectIdentifier(oid.extensionRequest), wanted)
    const version = unsignedInteger(Uint8Array.of(0))
    const der = sequence(version, subject, key.spki, tagged(0xa0, attribute))
    return { key, der, digest: digest(algorithm, der), algorithm }
  })
}

/** Puts Key Vault's signature to a draft; refused unless it verifies with the key in it. */
export function sealCsr(draft: CsrDraft, rawSignature: Uint8Array): Parsed<SealedCsr> {
  return parsed(() => {
    const { der, algorithm, key } = draft
    const signature = bitString(signatureOctets(algorithm, key, rawSignature))
    const pem = encodePem('CERTIFICATE REQUEST', sequence(der, algorithm.identifier, signature))
    const csr = parseCsr(pem)
    return csr.ok ? { csr: csr.value, pem } : refuse(csr.refusal.rule, csr.refusal.message)
  })
}
