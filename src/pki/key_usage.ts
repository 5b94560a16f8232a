import { type Element, tags } from './der.ts'
import { expectTag } from './der_fields.ts'
import { bitString } from './der_writer.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'

/** Bit n of the number is bit n of the KeyUsage (RFC 5280 §4.2.1.3). */
export type KeyUsage = number

export const keyUsage = {
  digitalSignature: 1 << 0,
  contentCommitment: 1 << 1,
  keyEncipherment: 1 << 2,
  dataEncipherment: 1 << 3,
  keyAgreement: 1 << 4,
  keyCertSign: 1 << 5,
  cRLSign: 1 << 6,
  encipherOnly: 1 << 7,
  decipherOnly: 1 << 8,
} as const

/** What a list of cert-manager usages asks for. */
export interface Usages {
  readonly keyUsage: KeyUsage
  /** OIDs of key purposes, without repetition, in the order asked for. */
  readonly purposes: readonly string[]
}

/** cert-manager's names (pkg/apis/certmanager/v1/types.go, KeyUsage) as bits. The first of a bit is printed. */
const keyUsages: ReadonlyMap<string, KeyUsage> = new Map([
  ['digital signature', keyUsage.digitalSignature],
  ['signing', keyUsage.digitalSignature],
  ['content commitment', keyUsage.contentCommitment],
  ['key encipherment', keyUsage.keyEncipherment],
  ['data encipherment', keyUsage.dataEncipherment],
  ['key agreement', keyUsage.keyAgreement],
  ['cert sign', keyUsage.keyCertSign],
  ['crl sign', keyUsage.cRLSign],
  ['encipher only', keyUsage.encipherOnly],
  ['decipher only', keyUsage.decipherOnly],
])

/** The same for key purposes. */
const keyPurposes: ReadonlyMap<string, string> = new Map([
  ['any', oid.anyExtendedKeyUsage],
  ['server auth', oid.serverAuth],
  ['client auth', oid.clientAuth],
  ['code signing', oid.codeSigning],
  ['email protection', oid.emailProtection],
  ['s/mime', oid.emailProtection],
  ['ipsec end system', oid.ipsecEndSystem],
  ['ipsec tunnel', oid.ipsecTunnel],
  ['ipsec user', oid.ipsecUser],
  ['timestamping', oid.timeStamping],
  ['ocsp signing', oid.ocspSigning],
  ['microsoft sgc', oid.microsoftServerGatedCrypto],
  ['netscape sgc', oid.netscapeServerGatedCrypto],
])

/** cert-manager's default for an empty list (pkg/apis/certmanager/v1, DefaultKeyUsages). */
const defaultUsages = ['digital signature', 'key encipherment']

/** Reads a CertificateRequest's `spec.usages`; a CA request also asks for `cert sign`. */
export function readUsages(names: readonly string[], isCA: boolean): Usages {
  const asked = names.length === 0 ? defaultUsages : names
  const purposes = new Set<string>()
  let bits: KeyUsage = isCA ? keyUsage.keyCertSign : 0
  for (const name of asked) {
    const bit = keyUsages.get(name)
    const purpose = keyPurposes.get(name)
    if (bit !== undefined) bits |= bit
    else if (purpose !== undefined) purposes.add(purpose)
    else
      refuse('usage-unknown', `usage ${JSON.stringify(name)} is not one of cert-manager's usages`)
  }
  return { keyUsage: bits, purposes: [...purposes] }
}

export function readKeyUsage(element: Element): KeyUsage {
  const { content } = expectTag(element, tags.bitString, 'keyUsage')
  let bits: KeyUsage = 0
  for (let bit = 0; bit < 16; bit += 1) {
    const octet = content[1 + (bit >> 3)] ?? 0
    if ((octet & (0x80 >> (bit & 7))) !== 0) bits |= 1 << bit
  }
  if (content.length > 3 || bits === 0 || bits > 0x1ff) {
    refuse('extension-malformed', 'keyUsage has no bit set, or bits that are not defined')
  }
  return bits
}

/** A named BIT STRING without trailing zero bits (X.690 §11.2.2). `bits` must not be 0. */
export function encodeKeyUsage(bits: KeyUsage): Uint8Array {
  const highest = 31 - Math.clz32(bits)
  const octets = new Uint8Array((highest >> 3) + 1)
  for (let bit = 0; bit <= highest; bit += 1) {
    const set = (bits & (1 << bit)) !== 0
    if (set) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  }
  return bitString(octets, 7 - (highest & 7))
}

/** For messages: `[digital signature, key encipherment]`. */
export function keyUsageText(bits: KeyUsage): string {
  const names = new Map<KeyUsage, string>()
  for (const [name, bit] of keyUsages) if (!names.has(bit)) names.set(bit, name)
  return `[${[...names].flatMap(([bit, name]) => ((bits & bit) === 0 ? [] : [name])).join(', ')}]`
}

/** For messages: `[server auth, client auth]`; purposes that cert-manager has no name for as OIDs. */
export function purposesText(purposes: readonly string[]): string {
  const names = new Map([...keyPurposes].toReversed().map(([name, id]) => [id, name]))
  return `[${purposes.map((id) => names.get(id) ?? id).join(', ')}]`
}
