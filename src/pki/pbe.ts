import { createDecipheriv, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { type Element, tags } from './der.ts'
import { expectTag, Fields, readOid } from './der_fields.ts'
import { type Effort, readIterations } from './effort.ts'
import { oid } from './oids.ts'
import { deriveOctets, type KdfHash } from './pkcs12_kdf.ts'
import { refuse } from './refusal.ts'

/** One password in the two forms that PFX files use. */
export interface PfxPassword {
  /** For PKCS #12's own schemes: the form that the MAC proved. */
  readonly pkcs12: Uint8Array
  /** For PBES2: UTF-8. */
  readonly utf8: Uint8Array
}

/** Decrypts under a password; `algorithm` is an AlgorithmIdentifier. */
export async function decryptPbe(
  algorithm: Element,
  data: Uint8Array,
  password: PfxPassword,
  effort: Effort,
): Promise<Uint8Array> {
  const what = 'an encryption algorithm of the PFX'
  const fields = new Fields(algorithm, what)
  const id = readOid(fields.required('identifier'), what)
  const scheme = schemes.get(id) ?? refuseAlgorithm(id)
  const parameters = fields.required('parameters')
  fields.end()
  return decryptCbc(await scheme(parameters, password, effort), data)
}

/** Refuses, with what to do; `id` names a cipher, a hash or a derivation that we do not have. */
export function refuseAlgorithm(id: string): never {
  const name = refusedNames.get(id) ?? `algorithm ${id}`
  return refuse(
    'pfx-algorithm',
    `the PFX is protected with ${name}, which is not supported; supported are 3DES, as Key Vault writes it, and AES. Import the certificate into Key Vault again, as PEM or as a PFX made with openssl pkcs12 -export -keypbe AES-256-CBC -certpbe AES-256-CBC -macalg sha256`,
  )
}

const refusedNames: ReadonlyMap<string, string> = new Map([
  [oid.pbeSha1Rc2Of40, 'RC2 (40 bits)'],
  [oid.pbeSha1Rc2Of128, 'RC2 (128 bits)'],
  [oid.pbeSha1Rc4Of40, 'RC4 (40 bits)'],
  [oid.pbeSha1Rc4Of128, 'RC4 (128 bits)'],
])

interface CipherKey {
  /** Name in OpenSSL. */
  readonly cipher: string
  readonly key: Uint8Array
  readonly iv: Uint8Array
}

type Scheme = (parameters: Element, password: PfxPassword, effort: Effort) => Promise<CipherKey>

const schemes: ReadonlyMap<string, Scheme> = new Map([
  [oid.pbeSha1TripleDes, tripleDes('des-ede3-cbc', 24)],
  [oid.pbeSha1TwoKeyTripleDes, tripleDes('des-ede-cbc', 16)],
  [oid.pbes2, pbes2Key],
])

/** RFC 7292 appendix C. */
function tripleDes(cipher: string, keyLength: number): Scheme {
  return async (parameters, password, effort) => {
    const fields = new Fields(parameters, 'the 3DES parameters of the PFX')
    const salt = fields.required('salt', tags.octetString).content
    const iterations = readIterations(fields.required('iterations'))
    fields.end()
    const input = { hash: 'sha1', password: password.pkcs12, salt, iterations } as const
    const key = await deriveOctets(input, 'key', keyLength, effort)
    return { cipher, key, iv: await deriveOctets(input, 'iv', 8, effort) }
  }
}

/** RFC 8018 §6.2 and appendix A.4. */
async function pbes2Key(
  parameters: Element,
  password: PfxPassword,
  effort: Effort,
): Promise<CipherKey> {
  const fields = new Fields(parameters, 'the PBES2 parameters of the PFX')
  const derivation = new Fields(fields.required('keyDerivationFunc'), 'the key derivation')
  const encryption = new Fields(fields.required('encryptionScheme'), 'the encryption scheme')
  fields.end()

  const derivationId = readOid(derivation.required('identifier'), 'the key derivation')
  if (derivationId !== oid.pbkdf2) refuseAlgorithm(derivationId)
  const cipherId = readOid(encryption.required('identifier'), 'the encryption scheme')
  const { cipher, keyLength } = ciphers.get(cipherId) ?? refuseAlgorithm(cipherId)
  const iv = encryption.required('IV', tags.octetString).content
  encryption.end()
  const key = await pbkdf2Key(derivation.required('parameters'), keyLength, password.utf8, effort)
  return { cipher, key, iv }
}

const ciphers: ReadonlyMap<string, { readonly cipher: string; readonly keyLength: number }> =
  new Map([
    [oid.aes128Cbc, { cipher: 'aes-128-cbc', keyLength: 16 }],
    [oid.aes192Cbc, { cipher: 'aes-192-cbc', keyLength: 24 }],
    [oid.aes256Cbc, { cipher: 'aes-256-cbc', keyLength: 32 }],
  ])

const hmacHashes: ReadonlyMap<string, KdfHash> = new Map([
  [oid.hmacWithSha1, 'sha1'],
  [oid.hmacWithSha256, 'sha256'],
  [oid.hmacWithSha384, 'sha384'],
  [oid.hmacWithSha512, 'sha512'],
])

const pbkdf2Async = promisify(pbkdf2)

/** RFC 8018 appendix A.2. */
async function pbkdf2Key(
  parameters: Element,
  keyLength: number,
  password: Uint8Array,
  effort: Effort,
): Promise<Uint8Array> {
  const what = 'the PBKDF2 parameters of the PFX'
  const fields = new Fields(parameters, what)
  const salt = fields.required('salt', tags.octetString).content
  const iterations = readIterations(fields.required('iterationCount'))
  const stated = fields.optional(tags.integer)
  const prf = fields.optional(tags.sequence)
  fields.end()
  if (stated && (stated.content.length !== 1 || stated.content[0] !== keyLength)) {
    refuse('structure', `${what} have a key length that does not fit the cipher`)
  }
  const hash = prf === undefined ? 'sha1' : readPrf(prf)
  // Every hash but SHA-1 makes the longest key in one go.
  effort.spend('pbkdf2', iterations * (hash === 'sha1' && keyLength > 20 ? 2 : 1))
  return pbkdf2Async(password, salt, iterations, keyLength, hash)
}

function readPrf(element: Element): KdfHash {
  const id = readOid(
    new Fields(expectTag(element, tags.sequence, 'the PRF'), 'the PRF').required('identifier'),
    'the PRF',
  )
  return hmacHashes.get(id) ?? refuseAlgorithm(id)
}

function decryptCbc({ cipher, key, iv }: CipherKey, data: Uint8Array): Uint8Array {
  try {
    const decipher = createDecipheriv(cipher, key, iv)
    const start = decipher.update(data)
    const end = decipher.final()
    const whole = Uint8Array.from([...start, ...end])
    for (const buffer of [start, end]) buffer.fill(0)
    return whole
  } catch {
    // OpenSSL's words tell a padding fault from a length fault, which helps nobody here.
    return refuse('pfx-decryption', 'a part of the PFX does not decrypt; the file is damaged')
  } finally {
    key.fill(0)
  }
}
