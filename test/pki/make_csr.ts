import {
  bitString,
  derTrue,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  tagged,
  unsignedInteger,
} from '../../src/pki/der_writer.ts'
import { encodeKeyUsage, type KeyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { type KeyPair, keyOf, type OwnSignature, usualSignature } from './keys.ts'

export interface CsrParts {
  readonly key?: KeyPair
  readonly version?: number
  /** Name, DER. */
  readonly subject?: Uint8Array
  readonly spki?: Uint8Array
  readonly extensions?: readonly Uint8Array[]
  /** In place of one extensionRequest with `extensions`. */
  readonly attributes?: readonly Uint8Array[]
  readonly signature?: OwnSignature
}

/** A certification request, right in all that `parts` does not say. */
export function makeCsrDer(parts: CsrParts = {}): Uint8Array {
  const key = parts.key ?? keyOf('ECDSA P-256', 'subject')
  const extensions = parts.extensions ?? [subjectAltName(dnsName('myapp.example.com'))]
  const info = sequence(
    unsignedInteger(Uint8Array.of(parts.version ?? 0)),
    parts.subject ?? makeName(),
    parts.spki ?? key.spki,
    tagged(0xa0, ...(parts.attributes ?? [extensionRequest(...extensions)])),
  )
  return signCsr(info, parts.signature ?? usualSignature(key))
}

export function makeCsr(parts: CsrParts = {}): string {
  return encodePem('CERTIFICATE REQUEST', makeCsrDer(parts))
}

export function signCsr(info: Uint8Array, signature: OwnSignature): Uint8Array {
  return sequence(info, signature.identifier, bitString(signature.sign(info)))
}

export function extensionRequest(...extensions: readonly Uint8Array[]): Uint8Array {
  return attribute(oid.extensionRequest, sequence(...extensions))
}

export function attribute(type: string, ...values: readonly Uint8Array[]): Uint8Array {
  return sequence(objectIdentifier(type), tagged(0x31, ...values))
}

export function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(objectIdentifier(id), ...(critical ? [derTrue] : []), octetString(value))
}

export function keyUsageExtension(bits: KeyUsage): Uint8Array {
  return extension(oid.keyUsage, encodeKeyUsage(bits), true)
}

export function purposesExtension(...purposes: readonly string[]): Uint8Array {
  return extension(oid.extKeyUsage, sequence(...purposes.map(objectIdentifier)))
}

export function subjectAltName(...names: readonly Uint8Array[]): Uint8Array {
  return extension(oid.subjectAltName, sequence(...names))
}

export function dnsName(name: string): Uint8Array {
  return implicit(2, ascii(name))
}

export function emailName(address: string): Uint8Array {
  return implicit(1, ascii(address))
}

export function uriName(uri: string): Uint8Array {
  return implicit(6, ascii(uri))
}

/** With a UTF8String, as of Microsoft's userPrincipalName (1.3.6.1.4.1.311.20.2.3). */
export function otherName(typeId: string, text: string): Uint8Array {
  const value = explicit(0, tagged(0x0c, Buffer.from(text)))
  return tagged(0xa0, objectIdentifier(typeId), value)
}

export function ipName(...octets: readonly number[]): Uint8Array {
  return implicit(7, Uint8Array.from(octets))
}

/** A Name with one RDN for each type and UTF8String, or with the RDNs as given. */
export function makeName(attributes: Readonly<Record<string, string>> = {}): Uint8Array {
  return sequence(
    ...Object.entries(attributes).map(([type, text]) => rdn(nameAttribute(type, text))),
  )
}

export function rdn(...attributes: readonly Uint8Array[]): Uint8Array {
  return tagged(0x31, ...attributes)
}

export function nameAttribute(type: string, text: string, tag = 0x0c): Uint8Array {
  const encoding = tag === 0x0c ? 'utf8' : 'latin1'
  return sequence(objectIdentifier(type), tagged(tag, Buffer.from(text, encoding)))
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
