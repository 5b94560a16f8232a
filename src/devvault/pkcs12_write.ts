/**
 * PFX files as Key Vault hands them out (decoded from two recordings): blank password, key and
 * certificates under pbeWithSHA1And3-KeyTripleDES-CBC, 2000 iterations, a SHA-1 MAC with a salt of
 * 20 bytes, and the attributes that Windows writes.
 */
import { createCipheriv, createHmac } from 'node:crypto'
import type { Random } from '../random.ts'
import { bmp, nullValue, octetString, oid, sequence, set, smallInteger, tlv } from './der.ts'
import { bmpPassword, deriveBytes, purpose, tripleDesKey } from './pkcs12_kdf.ts'

export interface PfxContent {
  /** PKCS#8; absent when the key may not leave the vault. */
  readonly key?: Uint8Array
  /** DER, in the order of the file. */
  readonly certificates: readonly Uint8Array[]
  /** The one of `certificates` that belongs to the key. */
  readonly leaf: Uint8Array
  /** What Windows calls the key container. */
  readonly keyName: string
}

const iterations = 2000
const blankPassword = bmpPassword('')

/** The file of RFC 7292, section 4. */
export function writePfx(content: PfxContent, random: Random): Uint8Array {
  const { key, certificates, leaf, keyName } = content
  const attributes = [attribute(ids.localKeyId, octetString(keyId))]
  const certificateBags = certificates.map((certificate) => {
    const value = sequence(oid(ids.x509), tlv(0xa0, octetString(certificate)))
    const own = Buffer.compare(certificate, leaf) === 0 ? attributes : []
    return bag(ids.certificateBag, value, own)
  })
  const keyBag = (pkcs8: Uint8Array) => {
    const { algorithm, data } = encrypt(pkcs8, random)
    return bag(ids.shroudedKeyBag, sequence(algorithm, octetString(data)), [
      ...attributes,
      attribute(ids.friendlyName, tlv(0x1e, bmp(keyName))),
      attribute(ids.cspName, tlv(0x1e, bmp('Microsoft Software Key Storage Provider'))),
    ])
  }
  const { algorithm, data } = encrypt(sequence(...certificateBags), random)
  const encryptedData = sequence(
    smallInteger(0),
    sequence(oid(ids.data), algorithm, tlv(0x80, data)),
  )
  const safe = sequence(
    ...(key ? [contentInfo(ids.data, octetString(sequence(keyBag(key))))] : []),
    contentInfo(ids.encryptedData, encryptedData),
  )
  return sequence(smallInteger(3), contentInfo(ids.data, octetString(safe)), mac(safe, random))
}

const ids = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  tripleDes: '1.2.840.113549.1.12.1.3',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  cspName: '1.3.6.1.4.1.311.17.1',
  sha1: '1.3.14.3.2.26',
} as const

/** A little-endian 1, the first key of a store on Windows. */
const keyId = Uint8Array.of(1, 0, 0, 0)

function contentInfo(type: string, content: Uint8Array): Uint8Array {
  return sequence(oid(type), tlv(0xa0, content))
}

function bag(type: string, value: Uint8Array, attributes: readonly Uint8Array[]): Uint8Array {
  return sequence(
    oid(type),
    tlv(0xa0, value),
    ...(attributes.length > 0 ? [set(...attributes)] : []),
  )
}

function attribute(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), set(value))
}

function encrypt(
  plain: Uint8Array,
  random: Random,
): { readonly algorithm: Uint8Array; readonly data: Uint8Array } {
  const salt = random.bytes(8)
  const { key, iv } = tripleDesKey(blankPassword, { salt, iterations })
  const cipher = createCipheriv('des-ede3-cbc', key, iv)
  const parameters = sequence(octetString(salt), smallInteger(iterations))
  return {
    algorithm: sequence(oid(ids.tripleDes), parameters),
    data: Buffer.concat([cipher.update(plain), cipher.final()]),
  }
}

function mac(safe: Uint8Array, random: Random): Uint8Array {
  const salt = random.bytes(20)
  const key = deriveBytes('sha1', blankPassword, salt, purpose.mac, iterations, 20)
  const digest = createHmac('sha1', key).update(safe).digest()
  const digestInfo = sequence(sequence(oid(ids.sha1), nullValue), octetString(digest))
  return sequence(digestInfo, octetString(salt), smallInteger(iterations))
}
