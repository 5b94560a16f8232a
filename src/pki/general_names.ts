import { latin1 } from './bytes.ts'
import { type Element, readDer, tags } from './der.ts'
import { expectTag, explicitly, Fields, readOid } from './der_fields.ts'
import { tagged } from './der_writer.ts'
import { readName } from './names.ts'
import { refuse } from './refusal.ts'

/** RFC 5280 §4.2.1.6. `value` of an IP address is its text, see `ipText`. */
export type GeneralName =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly kind: 'ip'; readonly value: string; readonly octets: Uint8Array }
  | { readonly kind: 'otherName'; readonly typeId: string; readonly value: Uint8Array }
  | { readonly kind: 'directoryName'; readonly name: Uint8Array }
  | { readonly kind: 'registeredId'; readonly oid: string }

export type NameKind = GeneralName['kind']

/** For messages. */
export const nameKinds: Readonly<Record<NameKind, string>> = {
  dns: 'DNS name',
  email: 'email address',
  uri: 'URI',
  ip: 'IP address',
  otherName: 'otherName',
  directoryName: 'directory name',
  registeredId: 'registered ID',
}

/** Reads GeneralNames; what a name may say is for `subject_alt_names.ts`. */
export function readGeneralNames(element: Element): readonly GeneralName[] {
  const names = expectTag(element, tags.sequence, 'subjectAltName').children.map(readGeneralName)
  if (names.length === 0) refuse('san-empty', 'subjectAltName holds no name; leave it out instead')
  return names
}

/** For messages, as a user would write it. */
export function generalNameText(name: GeneralName): string {
  if (name.kind === 'otherName') return `otherName of type ${name.typeId}`
  if (name.kind === 'directoryName') return 'directory name'
  const value = name.kind === 'registeredId' ? name.oid : name.value
  return `${nameKinds[name.kind]} ${JSON.stringify(value)}`
}

/** Dotted decimal, or eight groups without compression. */
export function ipText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  const groups: string[] = []
  for (let at = 0; at < octets.length; at += 2) {
    groups.push((((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0)).toString(16))
  }
  return groups.join(':')
}

type Reader = (element: Element) => GeneralName

/** By tag: context-specific, primitive below 0xa0, constructed from there. */
const readers: ReadonlyMap<number, Reader> = new Map<number, Reader>([
  [0xa0, readOtherName],
  [0x81, (element) => ({ kind: 'email', value: readAscii(element, 'email') })],
  [0x82, (element) => ({ kind: 'dns', value: readAscii(element, 'dns') })],
  [0xa4, readDirectoryName],
  [0x86, (element) => ({ kind: 'uri', value: readAscii(element, 'uri') })],
  [0x87, readIpAddress],
  [0x88, readRegisteredId],
])

function readGeneralName(element: Element): GeneralName {
  const read = readers.get(element.tag)
  if (read !== undefined) return read(element)
  return refuse(
    'san-kind',
    `subjectAltName holds a name of kind [${element.tag & 0x1f}], which is not supported`,
  )
}

function readAscii({ content }: Element, kind: 'dns' | 'email' | 'uri'): string {
  const text = latin1(content)
  if (/^[\x20-\x7e]*$/.test(text)) return text
  return refuse(
    `san-${kind}`,
    `${nameKinds[kind]} ${JSON.stringify(text)} has characters other than printable ASCII; use the ASCII form`,
  )
}

function readIpAddress({ content: octets }: Element): GeneralName {
  if (octets.length !== 4 && octets.length !== 16) {
    refuse('san-ip', `an IP address has ${octets.length} octets; expected 4 or 16`)
  }
  return { kind: 'ip', value: ipText(octets), octets }
}

function readOtherName(element: Element): GeneralName {
  const fields = new Fields(element, 'otherName', 0xa0)
  const typeId = readOid(fields.required('type-id'), 'the type of an otherName')
  const wrapped = fields.required('value', 0xa0)
  fields.end()
  return { kind: 'otherName', typeId, value: explicitly(wrapped, 'the value of an otherName').der }
}

function readDirectoryName(element: Element): GeneralName {
  // Explicit, since Name is a CHOICE (X.680 §31.2.7).
  const name = explicitly(element, 'directoryName')
  readName(name, 'directoryName')
  return { kind: 'directoryName', name: name.der }
}

function readRegisteredId({ content }: Element): GeneralName {
  const element = readDer(tagged(tags.oid, content), 'registeredID')
  return { kind: 'registeredId', oid: readOid(element, 'registeredID') }
}
