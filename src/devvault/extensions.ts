/** Extensions of certificates and certificate requests, from what a policy says (RFC 5280, 4.2). */
import { hash, type KeyObject } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import {
  bitString,
  children,
  elements,
  octetString,
  oid,
  sequence,
  text,
  tlv,
  trueValue,
} from './der.ts'
import type { AlternativeNames } from './state.ts'

export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(critical ? [trueValue] : []), octetString(value))
}

/** Bit names of KeyUsage (RFC 5280, 4.2.1.3), from bit 0 on, as Key Vault writes them. */
export const keyUsageNames = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

export function keyUsage(usages: readonly string[]): Uint8Array {
  const set = keyUsageNames.map((name) => usages.includes(name))
  const length = set.lastIndexOf(true) + 1
  const bytes = Buffer.alloc(Math.ceil(length / 8))
  for (const [index, on] of set.entries()) {
    if (on) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (0x80 >> (index & 7))
  }
  return extension('2.5.29.15', true, bitString(bytes, 8 * bytes.length - length))
}

export function extendedKeyUsage(ids: readonly string[]): Uint8Array {
  return extension('2.5.29.37', false, sequence(...ids.map(oid)))
}

/** Empty and not critical, as on every certificate and request of Key Vault (recorded). */
export const notACa: Uint8Array = extension('2.5.29.19', false, sequence())

export function keyIdentifiers(key: KeyObject): readonly Uint8Array[] {
  const id = keyIdentifier(key)
  return [
    extension('2.5.29.35', false, sequence(tlv(0x80, id))),
    extension('2.5.29.14', false, octetString(id)),
  ]
}

/** Nothing when there are no names. An address that is none is left out: the policy was checked. */
export function alternativeNames(names: AlternativeNames): Uint8Array | undefined {
  const general = [
    ...(names.upns ?? []).map(userPrincipalName),
    ...(names.emails ?? []).map((email) => text(0x81, email)),
    ...(names.dns_names ?? []).map((name) => text(0x82, name)),
    ...(names.uris ?? []).map((uri) => text(0x86, uri)),
    ...(names.ipAddresses ?? []).flatMap((address) => {
      const bytes = addressBytes(address)
      return bytes ? [tlv(0x87, bytes)] : []
    }),
  ]
  return general.length === 0 ? undefined : extension('2.5.29.17', false, sequence(...general))
}

/** Four or sixteen bytes; nothing for what is no address. */
export function addressBytes(address: string): Uint8Array | undefined {
  if (isIPv4(address)) return Uint8Array.from(address.split('.').map(Number))
  if (!isIPv6(address) || address.includes('%')) return undefined
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const [, prefix = '', ...parts] = dotted ?? []
  const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number)
  const plain = dotted
    ? `${prefix}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
    : address
  const [head = '', tail] = plain.split('::')
  const left = groupsOf(head)
  const right = tail === undefined ? [] : groupsOf(tail)
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...left, ...zeros, ...right].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index)
  }
  return bytes
}

function groupsOf(side: string): readonly string[] {
  return side === '' ? [] : side.split(':')
}

/** SHA-1 of the key's bits (RFC 5280, 4.2.1.2, method 1). */
function keyIdentifier(key: KeyObject): Uint8Array {
  const spki = key.export({ format: 'der', type: 'spki' })
  const bits = children(elements(spki)?.[0])[1]?.content ?? new Uint8Array()
  return hash('sha1', bits.subarray(1), 'buffer')
}

/** An otherName of Microsoft's (1.3.6.1.4.1.311.20.2.3). */
function userPrincipalName(name: string): Uint8Array {
  return tlv(0xa0, oid('1.3.6.1.4.1.311.20.2.3'), tlv(0xa0, text(0x0c, name)))
}
