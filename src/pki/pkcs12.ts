import { type Element, readDer, tags } from './der.ts'
import { expectTag, explicitly, Fields, readOid, readSmallInteger } from './der_fields.ts'
import { Effort } from './effort.ts'
import { bundleLimits, type KeyBundle, type Scratch } from './key_bundle.ts'
import { oid } from './oids.ts'
import { decryptPbe, type PfxPassword } from './pbe.ts'
import { checkMac } from './pkcs12_mac.ts'
import { refuse } from './refusal.ts'

const what = 'the PFX'

/**
 * Reads a PFX (RFC 7292) in DER, as Key Vault writes it. Nothing inside is looked at before the
 * MAC verified. Names and other attributes of its bags are ignored: which certificate belongs to
 * the key is for the public key to say.
 *
 * @param scratch gets every buffer with a key in it, `keys` among them
 */
export async function readPfx(
  file: Uint8Array,
  password: string,
  scratch: Scratch,
): Promise<KeyBundle> {
  if (file[1] === 0x80) {
    refuse(
      'pfx-encoding',
      `${what} is written in BER with indefinite lengths; expected DER, as Key Vault writes it. Import the certificate into Key Vault again as PEM`,
    )
  }
  const fields = new Fields(readDer(file, what), what)
  const version = readSmallInteger(fields.required('version'), `the version of ${what}`)
  if (version !== 3) refuse('version', `${what} has version ${version}; expected 3`)
  const content = readContentInfo(fields.required('authSafe'))
  const macData = fields.optional(tags.sequence)
  fields.end()
  if (content.type !== oid.data) {
    refuse('pfx-mac', `${what} is signed with a key (content ${content.type}); expected a MAC`)
  }
  if (macData === undefined) {
    return refuse('pfx-mac', `${what} has no MAC; expected one, as Key Vault writes it`)
  }

  const effort = new Effort()
  const safe = readOctets(content.value)
  const pkcs12 = await checkMac(macData, safe, password, effort)
  const opened: Opened = {
    password: { pkcs12, utf8: Buffer.from(password, 'utf8') },
    effort,
    scratch,
    certificates: [],
    keys: [],
  }
  const contents = expectTag(readDer(safe, `the content of ${what}`), tags.sequence, what)
  for (const info of contents.children) await readSafe(info, opened)
  return opened
}

/** A PFX while it is read. */
interface Opened {
  readonly password: PfxPassword
  readonly effort: Effort
  readonly scratch: Scratch
  readonly certificates: Uint8Array[]
  readonly keys: Uint8Array[]
}

async function readSafe(info: Element, opened: Opened): Promise<void> {
  const { type, value } = readContentInfo(info)
  if (type !== oid.data && type !== oid.encryptedData) {
    refuse('pfx-algorithm', `${what} holds content of type ${type}; expected a password's`)
  }
  const octets = type === oid.data ? readOctets(value) : await decryptData(value, opened)
  await readBags(readDer(octets, `the bags of ${what}`), opened)
}

/** EncryptedData of RFC 5652 §8. */
async function decryptData(element: Element, opened: Opened): Promise<Uint8Array> {
  const fields = new Fields(element, `encrypted data of ${what}`)
  readSmallInteger(fields.required('version'), `the version of encrypted data`)
  const info = new Fields(fields.required('encryptedContentInfo'), `encrypted content of ${what}`)
  info.required('contentType', tags.oid)
  const algorithm = info.required('contentEncryptionAlgorithm')
  const { content } = info.required('encryptedContent', 0x80)
  info.end()
  return decrypt(algorithm, content, opened)
}

async function readBags(contents: Element, opened: Opened): Promise<void> {
  const name = `a bag of ${what}`
  for (const bag of expectTag(contents, tags.sequence, `the bags of ${what}`).children) {
    const fields = new Fields(bag, name)
    const id = readOid(fields.required('bagId'), name)
    const value = explicitly(fields.required('bagValue', 0xa0), name)
    fields.optional(tags.set)
    fields.end()
    // Revocation lists and other secrets have no reader.
    await bagReaders.get(id)?.(value, opened)
  }
}

type BagReader = (value: Element, opened: Opened) => void | Promise<void>

const bagReaders: ReadonlyMap<string, BagReader> = new Map<string, BagReader>([
  [oid.keyBag, (value, opened) => addKey(value.der, opened)],
  [oid.shroudedKeyBag, readShroudedKey],
  [oid.certBag, readCertBag],
  [oid.safeContentsBag, readBags],
])

/** EncryptedPrivateKeyInfo of RFC 5208 §6. */
async function readShroudedKey(value: Element, opened: Opened): Promise<void> {
  const fields = new Fields(value, `an encrypted key of ${what}`)
  const algorithm = fields.required('encryptionAlgorithm')
  const { content } = fields.required('encryptedData', tags.octetString)
  fields.end()
  addKey(await decrypt(algorithm, content, opened), opened)
}

function readCertBag(value: Element, { certificates }: Opened): void {
  const fields = new Fields(value, `a certificate bag of ${what}`)
  const id = readOid(fields.required('certId'), `a certificate bag of ${what}`)
  const wrapped = fields.required('certValue', 0xa0)
  fields.end()
  if (id !== oid.x509CertificateBag) return
  if (certificates.length === bundleLimits.certificates) {
    refuse('der-limits', `${what} holds more than ${bundleLimits.certificates} certificates`)
  }
  // A copy: what it is a view of may also hold a key, and is wiped.
  certificates.push(readOctets(explicitly(wrapped, 'a certificate')).slice())
}

function addKey(der: Uint8Array, { keys, scratch }: Opened): void {
  if (keys.length === bundleLimits.keys) {
    refuse('key-ambiguous', `${what} holds more than ${bundleLimits.keys} private keys`)
  }
  keys.push(scratch.keep(der))
}

async function decrypt(
  algorithm: Element,
  data: Uint8Array,
  { password, effort, scratch }: Opened,
): Promise<Uint8Array> {
  return scratch.keep(await decryptPbe(algorithm, data, password, effort))
}

/** ContentInfo of RFC 5652 §3. */
function readContentInfo(element: Element): { readonly type: string; readonly value: Element } {
  const fields = new Fields(element, `a content of ${what}`)
  const type = readOid(fields.required('contentType'), `a content of ${what}`)
  const value = explicitly(fields.required('content', 0xa0), `a content of ${what}`)
  fields.end()
  return { type, value }
}

function readOctets(element: Element): Uint8Array {
  return expectTag(element, tags.octetString, `a content of ${what}`).content
}
