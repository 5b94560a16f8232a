import { createCipheriv, createHash, createHmac, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { tags } from './der.ts'
import {
  derNull,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  tagged,
  unsignedInteger,
} from './der_writer.ts'
import { Effort } from './effort.ts'
import type { Scratch } from './key_bundle.ts'
import { oid } from './oids.ts'
import { deriveOctets, passwordForms } from './pkcs12_kdf.ts'

export interface PfxContent {
  /** PKCS #8, DER. */
  readonly key: Uint8Array
  /** DER, that of the key first. */
  readonly chain: readonly Uint8Array[]
  /** What key stores call the entry. */
  readonly alias: string
}

/** Octets from a cryptographic generator. */
export type RandomOctets = (length: number) => Uint8Array

/**
 * Writes a PFX (RFC 7292) that OpenSSL since 1.1 and Java since 8u301 read: PBES2 with AES-256-CBC
 * and PBKDF2-HMAC-SHA-256, and a MAC with SHA-256.
 *
 * @param password not blank, and ASCII: Java opens no file of this kind by another
 * @param scratch gets every buffer with the key or what opens it
 */
export async function writePfx(
  content: PfxContent,
  password: string,
  random: RandomOctets,
  scratch: Scratch,
): Promise<Uint8Array> {
  const { key, chain, alias } = content
  const [leaf = new Uint8Array()] = chain
  // Any octets that are the same at the key and its certificate; this is what others take.
  const keyId = createHash('sha1').update(leaf).digest()
  const bmp = tagged(tags.bmpString, Buffer.from(alias, 'utf16le').swap16())
  const attributes = setOf(
    attribute(oid.friendlyName, bmp),
    attribute(oid.localKeyId, octetString(keyId)),
  )
  const secret = scratch.keep(Buffer.from(password, 'utf8'))
  const shrouded = await encrypt(key, secret, random, scratch)
  const keyBag = bag(
    oid.shroudedKeyBag,
    sequence(shrouded.algorithm, octetString(shrouded.data)),
    attributes,
  )
  const certificateBags = chain.map((der, place) => {
    const value = sequence(objectIdentifier(oid.x509CertificateBag), explicit(0, octetString(der)))
    return bag(oid.certBag, value, ...(place === 0 ? [attributes] : []))
  })
  const certificates = await encrypt(sequence(...certificateBags), secret, random, scratch)
  const encryptedData = sequence(
    unsignedInteger(Uint8Array.of(0)),
    sequence(objectIdentifier(oid.data), certificates.algorithm, implicit(0, certificates.data)),
  )
  const safe = sequence(
    contentInfo(oid.encryptedData, encryptedData),
    contentInfo(oid.data, octetString(sequence(keyBag))),
  )
  return sequence(
    unsignedInteger(Uint8Array.of(3)),
    contentInfo(oid.data, octetString(safe)),
    await macData(safe, password, random, scratch),
  )
}

/**
 * The same for encryption and MAC, since a password is guessed where guessing is cheapest. Costs a
 * reader about a tenth of a second for each of the three derivations.
 */
const iterations = 200_000
const iterationCount = unsignedInteger(
  Uint8Array.of(iterations >> 16, (iterations >> 8) & 0xff, iterations & 0xff),
)
const saltLength = 16

const pbkdf2Async = promisify(pbkdf2)

/** PBES2 of RFC 8018 §6.2. */
async function encrypt(
  plain: Uint8Array,
  password: Uint8Array,
  random: RandomOctets,
  scratch: Scratch,
): Promise<{ readonly algorithm: Uint8Array; readonly data: Uint8Array }> {
  const salt = random(saltLength)
  const iv = random(16)
  const key = scratch.keep(await pbkdf2Async(password, salt, iterations, 32, 'sha256'))
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const data = Buffer.concat([cipher.update(plain), cipher.final()])
  const derivation = sequence(
    octetString(salt),
    iterationCount,
    sequence(objectIdentifier(oid.hmacWithSha256), derNull),
  )
  const parameters = sequence(
    sequence(objectIdentifier(oid.pbkdf2), derivation),
    sequence(objectIdentifier(oid.aes256Cbc), octetString(iv)),
  )
  return { algorithm: sequence(objectIdentifier(oid.pbes2), parameters), data }
}

/** MacData of RFC 7292 §4. */
async function macData(
  safe: Uint8Array,
  password: string,
  random: RandomOctets,
  scratch: Scratch,
): Promise<Uint8Array> {
  const salt = random(saltLength)
  const [form = new Uint8Array()] = passwordForms(password)
  const input = { hash: 'sha256', password: scratch.keep(form), salt, iterations } as const
  const key = scratch.keep(await deriveOctets(input, 'mac', 32, new Effort()))
  const digest = createHmac('sha256', key).update(safe).digest()
  const digestInfo = sequence(sequence(objectIdentifier(oid.sha256), derNull), octetString(digest))
  return sequence(digestInfo, octetString(salt), iterationCount)
}

function contentInfo(type: string, content: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(type), explicit(0, content))
}

function bag(id: string, value: Uint8Array, ...attributes: readonly Uint8Array[]): Uint8Array {
  return sequence(objectIdentifier(id), explicit(0, value), ...attributes)
}

/** In the order of their octets (X.690 §11.6). */
function setOf(...elements: readonly Uint8Array[]): Uint8Array {
  return tagged(tags.set, ...elements.toSorted(Buffer.compare))
}

function attribute(type: string, value: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(type), tagged(tags.set, value))
}
