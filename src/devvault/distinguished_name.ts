import { oid, sequence, set, text } from './der.ts'

/** Attribute types by the keys Windows understands (CertStrToName), lower case. */
const attributeTypes = new Map([
  ['cn', '2.5.4.3'],
  ['sn', '2.5.4.4'],
  ['serialnumber', '2.5.4.5'],
  ['c', '2.5.4.6'],
  ['l', '2.5.4.7'],
  ['s', '2.5.4.8'],
  ['st', '2.5.4.8'],
  ['street', '2.5.4.9'],
  ['o', '2.5.4.10'],
  ['ou', '2.5.4.11'],
  ['t', '2.5.4.12'],
  ['title', '2.5.4.12'],
  ['g', '2.5.4.42'],
  ['gn', '2.5.4.42'],
  ['i', '2.5.4.43'],
  ['e', '1.2.840.113549.1.9.1'],
  ['dc', '0.9.2342.19200300.100.1.25'],
])

const ia5Types = new Set(['1.2.840.113549.1.9.1', '0.9.2342.19200300.100.1.25'])

/**
 * DER of a name such as `CN=web, O="Example, Inc.", C=DE`; nothing when it is no such name. The
 * text begins with the last part, as Windows writes names. Believed from imports, where the service
 * shows names that way round.
 */
export function distinguishedName(subject: string): Uint8Array | undefined {
  const parts = splitUnquoted(subject, /[,;]/).filter((part) => part.trim() !== '')
  const names = parts.map((part) => splitUnquoted(part, /\+/).map(attribute))
  if (names.some((name) => name.some((one) => one === undefined))) return undefined
  return sequence(
    ...names.toReversed().map((name) => set(...name.flatMap((one) => (one ? [one] : [])))),
  )
}

function attribute(part: string): Uint8Array | undefined {
  const [, key = '', raw = ''] = /^\s*([A-Za-z0-9.]+)\s*=(.*)$/s.exec(part) ?? []
  const dotted = /^(?:OID\.)?(\d+(?:\.\d+)+)$/i.exec(key)?.[1]
  const type = dotted ?? attributeTypes.get(key.toLowerCase())
  const value = unquoted(raw.trim())
  if (type === undefined || value === undefined || value === '') return undefined
  return sequence(oid(type), directoryString(type, value))
}

/** PrintableString where it suffices (recorded), UTF8String otherwise. */
function directoryString(type: string, value: string): Uint8Array {
  if (ia5Types.has(type)) return text(0x16, value)
  return text(/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? 0x13 : 0x0c, value)
}

/** Inside quotes a doubled quote is one; quotes elsewhere make the value invalid. */
function unquoted(value: string): string | undefined {
  if (!value.includes('"')) return value
  const inner = /^"((?:[^"]|"")*)"$/s.exec(value)?.[1]
  return inner?.replaceAll('""', '"')
}

function splitUnquoted(value: string, separator: RegExp): readonly string[] {
  const parts: string[] = ['']
  let quoted = false
  for (const character of value) {
    if (character === '"') quoted = !quoted
    if (!quoted && separator.test(character)) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts
}
