import { sameBytes, unsigned } from './bytes.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { sequence, unsignedInteger } from './der_writer.ts'
import { curves } from './elliptic_curves.ts'
import { nameText } from './names.ts'
import { encodePem } from './pem.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import type { SignatureAlgorithm } from './signature_algorithms.ts'
import { verifySignature } from './signed.ts'
import type { SubjectKey } from './subject_key.ts'
import { assembleCertificate, type TbsCertificate } from './tbs.ts'

const sealed: unique symbol = Symbol('made by seal')

/** A certificate that was checked after its signature was made. Only `seal` makes one. */
export interface IssuedCertificate {
  readonly [sealed]: true
  readonly certificate: Certificate
  readonly der: Uint8Array
  readonly pem: string
  /** Leaf first, then the intermediates, no root: `status.certificate`. */
  readonly chainPem: string
  /** The root of the chain. */
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
    const { authority, draft } = tbs.decision
    const signature = signatureOctets(tbs.algorithm, authority.certificate.key, rawSignature)
    const der = assembleCertificate(tbs.der, tbs.algorithm, signature)
    const certificate = readCertificate(der, { certificate: draft })
    // The draft agreed with the decision and passed the lints; these read nothing outside its body.
    if (!sameBytes(certificate.signed.body.der, draft.signed.body.der)) {
      refuse('certificate-differs', 'the signed octets are not those decided; nothing is published')
    }
    if (verifySignature(certificate.signed, authority.certificate.key) !== 'valid') {
      const name = nameText(authority.certificate.subject)
      refuse(
        'signature-wrong-key',
        `the signature is not by the key of the CA certificate for ${name} with ${tbs.algorithm.name}; the vault key and its version must be those of that certificate`,
      )
    }
    const pem = encodePem('CERTIFICATE', der)
    const chainPem = pem + authority.intermediatesPem
    return { [sealed]: true, certificate, der, pem, chainPem, caPem: authority.rootPem }
  })
}

/** The signature as X.509 holds it, of the one that Key Vault gave; refuses what cannot be one by `key`. */
export function signatureOctets(
  algorithm: SignatureAlgorithm,
  key: SubjectKey,
  raw: Uint8Array,
): Uint8Array {
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
