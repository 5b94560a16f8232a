import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Element, tags } from './der.ts'
import { Fields, readOid } from './der_fields.ts'
import { type Effort, readIterations } from './effort.ts'
import { oid } from './oids.ts'
import { refuseAlgorithm } from './pbe.ts'
import { deriveOctets, type KdfHash, passwordForms } from './pkcs12_kdf.ts'
import { refuse } from './refusal.ts'

/**
 * Refuses `content` unless the MacData of RFC 7292 §4 vouches for it; the form of the password by
 * which it does, which is the one that the rest of the file is encrypted under.
 */
export async function checkMac(
  macData: Element,
  content: Uint8Array,
  password: string,
  effort: Effort,
): Promise<Uint8Array> {
  const { hash, expected, salt, iterations } = readMacData(macData)
  for (const form of passwordForms(password)) {
    const input = { hash, password: form, salt, iterations }
    const key = await deriveOctets(input, 'mac', expected.length, effort)
    const actual = createHmac(hash, key).update(content).digest()
    if (timingSafeEqual(actual, expected)) return form
  }
  const tried = password === '' ? 'a blank password' : 'the password'
  return refuse(
    'pfx-mac',
    `the MAC of the PFX does not verify with ${tried}: the file is damaged or protected with another password; Key Vault gives out PFX files with a blank one`,
  )
}

function readMacData(macData: Element) {
  const what = 'the MAC of the PFX'
  const fields = new Fields(macData, what)
  const digestInfo = new Fields(fields.required('mac'), what)
  const salt = fields.required('macSalt', tags.octetString).content
  const count = fields.optional(tags.integer)
  fields.end()

  const algorithm = new Fields(digestInfo.required('digestAlgorithm'), what)
  const expected = digestInfo.required('digest', tags.octetString).content
  digestInfo.end()
  const id = readOid(algorithm.required('identifier'), what)
  const { hash, length } = hashes.get(id) ?? refuseAlgorithm(id)
  if (expected.length !== length) {
    refuse('structure', `${what} has ${expected.length} octets; expected ${length}`)
  }
  return { hash, expected, salt, iterations: count === undefined ? 1 : readIterations(count) }
}

const hashes: ReadonlyMap<string, { readonly hash: KdfHash; readonly length: number }> = new Map([
  [oid.sha1, { hash: 'sha1', length: 20 }],
  [oid.sha256, { hash: 'sha256', length: 32 }],
  [oid.sha384, { hash: 'sha384', length: 48 }],
  [oid.sha512, { hash: 'sha512', length: 64 }],
])
