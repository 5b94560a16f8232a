import { type Authority, checkAuthority } from '../../src/pki/authority.ts'
import { type Certificate, parseCertificate } from '../../src/pki/certificate.ts'
import {
  bitString,
  derTrue,
  explicit,
  implicit,
  octetString,
  sequence,
  time,
  unsignedInteger,
} from '../../src/pki/der_writer.ts'
import { encodeKeyUsage, type KeyUsage, keyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import type { SignatureAlgorithmName } from '../../src/pki/signature_algorithms.ts'
import { keyIdentifier, parseSubjectKey } from '../../src/pki/subject_key.ts'
import { type KeyPair, keyOf, type OwnSignature, usualSignature } from './keys.ts'
import { extension, makeName } from './make_csr.ts'
import { accepted } from './outcomes.ts'

export const now = Date.parse('2026-11-22T10:00:00Z')
export const day = 86_400_000

export interface Ca {
  readonly certificate: Certificate
  readonly key: KeyPair
}

export interface CaParts {
  readonly name?: string
  /** Name, DER, in place of `CN=name`. */
  readonly subject?: Uint8Array
  readonly key?: KeyPair
  readonly issuer?: Ca
  readonly ca?: boolean
  readonly pathLength?: number
  /** In place of the extension that `ca` and `pathLength` make; none when undefined. */
  readonly basicConstraints?: Uint8Array | undefined
  /** 0: no extension. */
  readonly keyUsage?: KeyUsage
  readonly notBefore?: number
  readonly notAfter?: number
  /** Beside basicConstraints, keyUsage and the key identifiers. */
  readonly extensions?: readonly Uint8Array[]
  readonly subjectKeyIdentifier?: Uint8Array | undefined
  /** In place of the extension with the issuer's key identifier; none when undefined. */
  readonly authorityKeyIdentifier?: Uint8Array | undefined
  readonly signature?: OwnSignature
  readonly version?: number
}

let serial = 0

/** A CA certificate, right in all that `parts` does not say; self-signed without an issuer. */
export function makeCa(parts: CaParts = {}): Ca {
  const name = parts.name ?? 'Test Root'
  const key = parts.key ?? keyOf('ECDSA P-256', name)
  const subject = parts.subject ?? makeName({ '2.5.4.3': name })
  const signer = parts.issuer?.key ?? key
  const signature = parts.signature ?? usualSignature(signer)
  const ownId = 'subjectKeyIdentifier' in parts ? parts.subjectKeyIdentifier : idOf(key)
  serial += 1
  const body = sequence(
    explicit(0, unsignedInteger(Uint8Array.of(parts.version ?? 2))),
    unsignedInteger(Uint8Array.of(0x40, serial)),
    signature.identifier,
    parts.issuer?.certificate.subject ?? subject,
    sequence(time(parts.notBefore ?? now - 30 * day), time(parts.notAfter ?? now + 3650 * day)),
    subject,
    key.spki,
    explicit(
      3,
      sequence(
        ...basicConstraints(parts),
        ...usage(parts.keyUsage ?? keyUsage.keyCertSign | keyUsage.cRLSign),
        ...(ownId ? [extension(oid.subjectKeyIdentifier, octetString(ownId))] : []),
        ...authorityKeyIdentifier(parts, signer),
        ...(parts.extensions ?? []),
      ),
    ),
  )
  const der = sequence(body, signature.identifier, bitString(signature.sign(body)))
  return { certificate: accepted(parseCertificate(der)), key }
}

/** The authority of `ca`, with `above` as its pool. */
export function makeAuthority(
  ca: Ca,
  above: readonly Ca[] = [],
  algorithm?: SignatureAlgorithmName,
): Authority {
  const pool = above.map((one) => one.certificate)
  return accepted(checkAuthority({ certificate: ca.certificate, pool, algorithm, now }))
}

function basicConstraints(parts: CaParts): readonly Uint8Array[] {
  if ('basicConstraints' in parts) return parts.basicConstraints ? [parts.basicConstraints] : []
  const { ca = true, pathLength } = parts
  const length = pathLength === undefined ? [] : [unsignedInteger(Uint8Array.of(pathLength))]
  const value = sequence(...(ca ? [derTrue, ...length] : []))
  return [extension(oid.basicConstraints, value, true)]
}

function authorityKeyIdentifier(parts: CaParts, signer: KeyPair): readonly Uint8Array[] {
  if ('authorityKeyIdentifier' in parts) {
    return parts.authorityKeyIdentifier ? [parts.authorityKeyIdentifier] : []
  }
  return [extension(oid.authorityKeyIdentifier, sequence(implicit(0, idOf(signer))))]
}

function usage(bits: KeyUsage): readonly Uint8Array[] {
  return bits === 0 ? [] : [extension(oid.keyUsage, encodeKeyUsage(bits), true)]
}

function idOf(key: KeyPair): Uint8Array {
  return keyIdentifier(accepted(parseSubjectKey(key.spki)))
}
