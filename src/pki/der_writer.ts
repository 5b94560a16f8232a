import { tags } from './der.ts'
import { oid } from './oids.ts'

/** One element with the given tag around `parts`. */
export function tagged(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const lengthSize = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 3
  const element = new Uint8Array(2 + lengthSize + length)
  element[0] = tag
  element[1] = lengthSize === 0 ? length : 0x80 | lengthSize
  let offset = 2
  for (let i = lengthSize - 1; i >= 0; i -= 1, offset += 1) element[offset] = length >> (8 * i)
  for (const part of parts) {
    element.set(part, offset)
    offset += part.length
  }
  return element
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(tags.sequence, ...parts)
}

/** Context-specific and constructed: `[number] EXPLICIT`. */
export function explicit(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(0xa0 | number, ...parts)
}

/** Context-specific and primitive: `[number] IMPLICIT` of a string type. */
export function implicit(number: number, content: Uint8Array): Uint8Array {
  return tagged(0x80 | number, content)
}

export function octetString(content: Uint8Array): Uint8Array {
  return tagged(tags.octetString, content)
}

export function bitString(octets: Uint8Array, unusedBits = 0): Uint8Array {
  return tagged(tags.bitString, Uint8Array.of(unusedBits), octets)
}

/** A non-negative INTEGER from its big-endian octets, in the shortest form. */
export function unsignedInteger(octets: Uint8Array): Uint8Array {
  let start = 0
  while (start < octets.length - 1 && octets[start] === 0) start += 1
  const shortest = octets.subarray(start)
  const signBit = (shortest[0] ?? 0x80) >= 0x80
  return signBit ? tagged(tags.integer, Uint8Array.of(0), shortest) : tagged(tags.integer, shortest)
}

export const derTrue = tagged(tags.boolean, Uint8Array.of(0xff))
export const derNull = tagged(tags.null)

/** An OBJECT IDENTIFIER from its dotted form. */
export function objectIdentifier(dotted: string): Uint8Array {
  return knownIdentifiers.get(dotted) ?? encodeIdentifier(dotted)
}

const knownIdentifiers: ReadonlyMap<string, Uint8Array> = new Map(
  Object.values(oid).map((dotted) => [dotted, encodeIdentifier(dotted)]),
)

function encodeIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return tagged(tags.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)))
}

/**
 * A date of a certificate: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5).
 * @param ms since the Unix epoch, a whole number of seconds
 */
export function time(ms: number): Uint8Array {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  const generalized = text >= '2050'
  const tag = generalized ? tags.generalizedTime : tags.utcTime
  return tagged(tag, Buffer.from(generalized ? text : text.slice(2), 'latin1'))
}

function base128(arc: number): number[] {
  const octets = [arc % 128]
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    octets.unshift(0x80 | (rest % 128))
  }
  return octets
}
