import { hex, sameBytes } from './bytes.ts'
import { type Element, readDer, tags } from './der.ts'
import { expectTag, Fields, readOid } from './der_fields.ts'
import { attributeTypes } from './name_attributes.ts'
import { parsed, refuse } from './refusal.ts'

/** One type and value of a distinguished name. */
export interface NameAttribute {
  readonly type: string
  readonly tag: number
  readonly octets: Uint8Array
  readonly text: string
}

/** RDNs from the root of the directory down; most have one attribute. */
export type Name = readonly (readonly NameAttribute[])[]

export function readName(element: Element, what: string): Name {
  return expectTag(element, tags.sequence, what).children.map((rdn) => readRdn(rdn, what))
}

/** A Name's DER as RFC 4514 writes it, for people; never parsed back. */
export function nameText(der: Uint8Array): string {
  const name = parsed(() => readName(readDer(der, 'the name'), 'the name'))
  if (!name.ok) return '(unreadable name)'
  if (name.value.length === 0) return '(empty name)'
  return name.value.map(rdnText).toReversed().join(',')
}

/** The Name that says nothing: an empty SEQUENCE. */
export const emptyName = Uint8Array.of(tags.sequence, 0)

export function isEmptyName(der: Uint8Array): boolean {
  return sameBytes(der, emptyName)
}

/** A serial number as tools print it: lower-case hex. */
export function serialText(serialNumber: Uint8Array): string {
  return hex(serialNumber)
}

function readRdn(element: Element, what: string): readonly NameAttribute[] {
  const attributes = expectTag(element, tags.set, `an RDN of ${what}`).children
  if (attributes.length === 0) refuse('name-malformed', `${what} has an RDN without attributes`)
  return attributes.map((attribute) => readAttribute(attribute, what))
}

function readAttribute(element: Element, what: string): NameAttribute {
  const fields = new Fields(element, `an attribute of ${what}`)
  const type = readOid(fields.required('type'), `an attribute of ${what}`)
  const { tag, content: octets } = fields.required('value')
  fields.end()
  const text = decoders.get(tag)?.(octets)
  if (text !== undefined) return { type, tag, octets, text }
  return refuse('name-malformed', `attribute ${type} of ${what} is not a string that can be read`)
}

type Decoder = (octets: Uint8Array) => string | undefined

const decoders: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [tags.utf8String, (octets) => decoded('utf-8', octets)],
  [tags.bmpString, (octets) => decoded('utf-16be', octets)],
  [tags.universalString, decodeUniversal],
  // T.61 in name, Latin-1 in practice.
  [tags.teletexString, (octets) => Buffer.from(octets).toString('latin1')],
  [tags.printableString, decodeAscii],
  [tags.ia5String, decodeAscii],
])

function decoded(encoding: string, octets: Uint8Array): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(octets)
  } catch {
    return undefined
  }
}

function decodeAscii(octets: Uint8Array): string | undefined {
  return octets.every((octet) => octet < 0x80) ? Buffer.from(octets).toString('latin1') : undefined
}

function decodeUniversal(octets: Uint8Array): string | undefined {
  if (octets.length % 4 !== 0) return undefined
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
  let text = ''
  for (let at = 0; at < octets.length; at += 4) {
    const point = view.getUint32(at)
    if (point > 0x10ffff) return undefined
    text += String.fromCodePoint(point)
  }
  return text
}

function rdnText(rdn: readonly NameAttribute[]): string {
  return rdn
    .map(({ type, text }) => `${attributeTypes.get(type)?.label ?? type}=${escaped(text)}`)
    .join('+')
}

function escaped(text: string): string {
  return text
    .replace(/[,+"\\<>;]|^[ #]| $/g, '\\$&')
    .replace(/\p{Cc}/gu, (control) => `\\${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
