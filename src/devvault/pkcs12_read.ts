/** Reads PFX files that people upload: DER, PBES2 with AES or 3DES, a MAC, any password. */
import { createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { children, type Element, elements, oidText } from './der.ts'
import {
  bmpPassword,
  decryptCbc,
  deriveBytes,
  type KdfHash,
  purpose,
  tripleDesKey,
} from './pkcs12_kdf.ts'

export type PfxReading =
  | {
      readonly kind: 'read'
      /** DER, in the order of the file. */
      readonly certificates: readonly Uint8Array[]
      /** PKCS#8. */
      readonly keys: readonly Uint8Array[]
    }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'wrong password' }
  | { readonly kind: 'unsupported'; readonly algorithm: string }

/** RFC 7292, section 4. Files in BER with open lengths are taken for malformed. */
export function readPfx(file: Uint8Array, password: string): PfxReading {
  const found: Found = { certificates: [], keys: [] }
  try {
    const [, authSafe, macData] = children(elements(file)?.[0])
    const safe = octets(contentOf(authSafe, ids.data))
    const bmp = acceptedPassword(safe, macData, password)
    if (bmp === undefined) return { kind: 'wrong password' }
    const passwords = { bmp, utf8: Buffer.from(password, 'utf8') }
    for (const info of children(elements(safe)?.[0])) readContent(info, passwords, found)
  } catch (thrown) {
    if (thrown instanceof Unsupported) return { kind: 'unsupported', algorithm: thrown.message }
    // OpenSSL's padding errors and our own: nothing in a broken file is worth telling apart.
    return { kind: 'malformed' }
  }
  return { kind: 'read', ...found }
}

interface Found {
  readonly certificates: Uint8Array[]
  readonly keys: Uint8Array[]
}

interface Passwords {
  readonly bmp: Uint8Array
  readonly utf8: Uint8Array
}

class Unsupported extends Error {}

const ids = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  tripleDes: '1.2.840.113549.1.12.1.3',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
} as const

const hashes = new Map<string, KdfHash>([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.9', 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
])

const ciphers = new Map([
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyLength: 24 }],
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', keyLength: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', keyLength: 24 }],
  ['2.16.840.1.101.3.4.1.42', { name: 'aes-256-cbc', keyLength: 32 }],
])

const names = new Map([
  ['1.2.840.113549.1.12.1.5', 'pbeWithSHA1And128BitRC2-CBC'],
  ['1.2.840.113549.1.12.1.6', 'pbeWithSHA1And40BitRC2-CBC'],
])

/** More would keep the whole dev vault busy for seconds. */
const iterationLimit = 1_000_000

/** The password in the form that the MAC proves: some writers take a blank one for no bytes. */
function acceptedPassword(
  safe: Uint8Array,
  macData: Element | undefined,
  password: string,
): Uint8Array | undefined {
  const own = bmpPassword(password)
  if (macData === undefined) return own
  const [digestInfo, salt, iterations] = children(macData)
  const [algorithm, digest] = children(digestInfo)
  const hash = hashOf(children(algorithm)[0])
  const wanted = octets(digest)
  const count = iterations === undefined ? 1 : countOf(iterations)
  const forms = password === '' ? [own, new Uint8Array()] : [own]
  return forms.find((form) => {
    const key = deriveBytes(hash, form, octets(salt), purpose.mac, count, wanted.length)
    const made = createHmac(hash, key).update(safe).digest()
    return made.length === wanted.length && timingSafeEqual(made, wanted)
  })
}

function readContent(info: Element, passwords: Passwords, found: Found): void {
  const type = oidText(children(info)[0])
  if (type === ids.data) {
    readBags(octets(contentOf(info, ids.data)), passwords, found)
    return
  }
  const [, encrypted] = children(contentOf(info, ids.encryptedData))
  const [, algorithm, data] = children(encrypted)
  readBags(decrypt(algorithm, data?.content, passwords), passwords, found)
}

function readBags(safeContents: Uint8Array, passwords: Passwords, found: Found): void {
  for (const bag of children(elements(safeContents)?.[0])) {
    const [id, wrapper] = children(bag)
    const value = children(wrapper)[0]
    const type = oidText(id)
    if (type === ids.certificateBag) {
      found.certificates.push(octets(children(children(value)[1])[0]))
    } else if (type === ids.shroudedKeyBag) {
      const [algorithm, data] = children(value)
      found.keys.push(decrypt(algorithm, data?.content, passwords))
    } else if (type === ids.keyBag && value) {
      found.keys.push(value.bytes)
    }
  }
}

function decrypt(
  algorithm: Element | undefined,
  data: Uint8Array | undefined,
  passwords: Passwords,
): Uint8Array {
  const [id, parameters] = children(algorithm)
  const name = oidText(id)
  if (data === undefined) throw new Error('no encrypted data')
  if (name === ids.tripleDes) {
    const [salt, iterations] = children(parameters)
    const derived = tripleDesKey(passwords.bmp, {
      salt: octets(salt),
      iterations: countOf(iterations),
    })
    return decryptCbc('des-ede3-cbc', derived.key, derived.iv, data)
  }
  if (name === ids.pbes2) return decryptPbes2(parameters, data, passwords.utf8)
  throw new Unsupported(names.get(name) ?? name)
}

/** RFC 8018, 6.2. */
function decryptPbes2(
  parameters: Element | undefined,
  data: Uint8Array,
  password: Uint8Array,
): Uint8Array {
  const [kdf, scheme] = children(parameters)
  const [kdfId, kdfParameters] = children(kdf)
  const [cipherId, iv] = children(scheme)
  const cipher = ciphers.get(oidText(cipherId))
  if (cipher === undefined) throw new Unsupported(oidText(cipherId))
  if (oidText(kdfId) !== ids.pbkdf2) throw new Unsupported(oidText(kdfId))
  const [salt, iterations, ...optional] = children(kdfParameters)
  const prf = optional.find((element) => element.tag === 0x30)
  const hash = prf ? hashOf(children(prf)[0]) : 'sha1'
  const count = countOf(iterations)
  const key = pbkdf2Sync(password, octets(salt), count, cipher.keyLength, hash)
  return decryptCbc(cipher.name, key, octets(iv), data)
}

function hashOf(id: Element | undefined): KdfHash {
  const hash = hashes.get(oidText(id))
  if (hash === undefined) throw new Unsupported(oidText(id))
  return hash
}

function contentOf(info: Element | undefined, type: string): Element {
  const [id, wrapper] = children(info)
  const content = children(wrapper)[0]
  if (oidText(id) !== type || content === undefined) throw new Error('unexpected content')
  return content
}

function octets(element: Element | undefined): Uint8Array {
  if (element?.tag !== 0x04) throw new Error('expected an OCTET STRING')
  return element.content
}

function countOf(element: Element | undefined): number {
  if (element?.tag !== 0x02) throw new Error('expected an INTEGER')
  const count = Number(`0x${Buffer.from(element.content).toString('hex')}`)
  if (count < 1 || count > iterationLimit) throw new Error('too many iterations')
  return count
}
