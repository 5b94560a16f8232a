import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  derNull,
  explicit,
  objectIdentifier,
  octetString,
  sequence,
  unsignedInteger,
} from '../../src/pki/der_writer.ts'
import { Effort } from '../../src/pki/effort.ts'
import { oid } from '../../src/pki/oids.ts'
import { deriveOctets } from '../../src/pki/pkcs12_kdf.ts'

/** A file of testdata/pkcs12; its README says how they were made. */
export function vector(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`testdata/pkcs12/${name}`, import.meta.url)))
}

export function vectorText(name: string): string {
  return Buffer.from(vector(name)).toString('latin1')
}

export interface PfxParts {
  readonly version?: number
  /** ContentInfos of the AuthenticatedSafe, in place of one with `bags`. */
  readonly contents?: readonly Uint8Array[]
  readonly bags?: readonly Uint8Array[]
  /** Octets under the MAC, in place of `contents`. */
  readonly safe?: Uint8Array
  /** ContentInfo of the PFX. */
  readonly authSafe?: Uint8Array
  readonly iterations?: Uint8Array
  readonly digestOid?: string
}

/** A PFX with a blank password and without encryption, right in all that `parts` does not say. */
export async function makePfx(parts: PfxParts = {}): Promise<Uint8Array> {
  const safe =
    parts.safe ?? sequence(...(parts.contents ?? [dataContent(sequence(...(parts.bags ?? [])))]))
  const salt = new Uint8Array(8).fill(7)
  const input = { hash: 'sha256', password: new Uint8Array(2), salt, iterations: 1 } as const
  const key = await deriveOctets(input, 'mac', 32, new Effort())
  const digest = createHmac('sha256', key).update(safe).digest()
  const algorithm = sequence(objectIdentifier(parts.digestOid ?? oid.sha256), derNull)
  return sequence(
    unsignedInteger(Uint8Array.of(parts.version ?? 3)),
    parts.authSafe ?? dataContent(safe),
    sequence(
      sequence(algorithm, octetString(digest)),
      octetString(salt),
      ...(parts.iterations ? [parts.iterations] : []),
    ),
  )
}

export function dataContent(octets: Uint8Array): Uint8Array {
  return content(oid.data, octetString(octets))
}

export function content(type: string, value: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(type), explicit(0, value))
}

/** EncryptedData whose ciphertext is `data`. */
export function encryptedContent(algorithm: Uint8Array, data: Uint8Array): Uint8Array {
  const info = sequence(
    objectIdentifier(oid.data),
    algorithm,
    Uint8Array.of(0x80, data.length),
    data,
  )
  return content(oid.encryptedData, sequence(unsignedInteger(Uint8Array.of(0)), info))
}

export function certBag(der: Uint8Array, type: string = oid.x509CertificateBag): Uint8Array {
  const value = sequence(objectIdentifier(type), explicit(0, octetString(der)))
  return bag(oid.certBag, value)
}

/** @param pkcs8 unencrypted */
export function keyBag(pkcs8: Uint8Array): Uint8Array {
  return bag(oid.keyBag, pkcs8)
}

export function bag(
  id: string,
  value: Uint8Array,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  return sequence(objectIdentifier(id), explicit(0, value), ...attributes)
}

export function pkcs12Secret(pfx: Uint8Array) {
  return { value: Buffer.from(pfx).toString('base64'), contentType: 'application/x-pkcs12' }
}

export function pemSecret(...blocks: readonly string[]) {
  return { value: blocks.join(''), contentType: 'application/x-pem-file' }
}
