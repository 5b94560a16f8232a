import { refuse } from './refusal.ts'

/**
 * One element of a DER encoding (X.690). `der` is the whole element, `content` what its length
 * covers; both are views of the input, so that a Name or a key is copied exactly as it was sent.
 */
export interface Element {
  readonly tag: number
  readonly der: Uint8Array
  readonly content: Uint8Array
  /** The elements inside a constructed one; none inside a primitive one. */
  readonly children: readonly Element[]
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** Far above any certificate cert-manager would store, far below what could hold up the process. */
const limits = { octets: 65_536, depth: 24, elements: 8_192 }

/** Types that occur in certificates and must be primitive in DER (X.690 §10.2). */
const primitiveTypes = new Set([
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1b,
  0x1c, 0x1e,
])

/**
 * The one element that `input` consists of, with all that stands inside it. Every encoding that DER
 * does not allow is refused at every level: what we copy into a certificate is read by validators
 * that differ in what they forgive.
 *
 * @param what names the input in messages
 */
export function readDer(input: Uint8Array, what: string): Element {
  if (input.length > limits.octets) {
    refuse('der-limits', `${what} has ${input.length} octets; at most ${limits.octets} are read`)
  }
  const walk: Walk = { what, elements: 0 }
  const element = readElement(input, 0, input.length, 0, walk)
  if (element.der.length !== input.length) {
    malformed(walk, element.der.length, 'octets follow the end of the value')
  }
  return element
}

interface Walk {
  readonly what: string
  elements: number
}

/** Reads the element at `start`, which must end at or before `limit`. */
function readElement(
  input: Uint8Array,
  start: number,
  limit: number,
  depth: number,
  walk: Walk,
): Element {
  walk.elements += 1
  if (depth > limits.depth || walk.elements > limits.elements) {
    refuse(
      'der-limits',
      `${walk.what} is nested deeper than ${limits.depth} levels or has more than ${limits.elements} elements`,
    )
  }
  const tag = input[start]
  if (tag === undefined || start >= limit) return malformed(walk, start, 'the encoding ends early')
  if ((tag & 0x1f) === 0x1f) return malformed(walk, start, 'multi-octet tags are not used in X.509')

  const { contentStart, end } = readLength(input, start + 1, limit, walk)
  const children: Element[] = []
  const constructed = (tag & 0x20) !== 0
  for (let at = constructed ? contentStart : end; at < end; ) {
    const child = readElement(input, at, end, depth + 1, walk)
    children.push(child)
    at += child.der.length
  }
  const element: Element = {
    tag,
    der: input.subarray(start, end),
    content: input.subarray(contentStart, end),
    children,
  }
  if (tag < 0x40) checkUniversal(element, start, walk)
  return element
}

function readLength(input: Uint8Array, at: number, limit: number, walk: Walk) {
  const first = input[at]
  if (first === undefined || at >= limit) return malformed(walk, at, 'the encoding ends early')
  let length = first
  let contentStart = at + 1
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0) return malformed(walk, at, 'indefinite lengths are not DER')
    if (octets > 3) return malformed(walk, at, 'the length is larger than the input')
    length = 0
    for (let i = 0; i < octets; i += 1) length = length * 256 + (input[contentStart + i] ?? 0)
    contentStart += octets
    const minimal = length >= 0x80 && length >= 256 ** (octets - 1)
    if (!minimal) return malformed(walk, at, 'the length is not encoded in its shortest form')
  }
  const end = contentStart + length
  if (end > limit) return malformed(walk, at, 'the length is larger than the input')
  return { contentStart, end }
}

/** The rules DER adds for the universal types (X.690 §8, §10 and §11). */
function checkUniversal(element: Element, start: number, walk: Walk): void {
  const { tag, content } = element
  if (tag === tags.sequence || tag === tags.set) return
  if (!primitiveTypes.has(tag)) {
    malformed(walk, start, `type ${tag.toString(16)} (hex) is not used in X.509`)
  }
  const fault = contentFaults.get(tag)?.(content)
  if (fault !== undefined) malformed(walk, start, fault)
}

const contentFaults: ReadonlyMap<number, (content: Uint8Array) => string | undefined> = new Map([
  [tags.boolean, booleanFault],
  [tags.integer, integerFault],
  [tags.bitString, bitStringFault],
  [tags.null, (content: Uint8Array) => (content.length > 0 ? 'a NULL has content' : undefined)],
  [tags.oid, oidFault],
])

function booleanFault(content: Uint8Array): string | undefined {
  const valid = content.length === 1 && (content[0] === 0x00 || content[0] === 0xff)
  return valid ? undefined : 'a BOOLEAN is neither 00 nor FF'
}

function integerFault(content: Uint8Array): string | undefined {
  const [first, second] = [content[0], content[1]]
  if (first === undefined) return 'an INTEGER is empty'
  if (second === undefined) return undefined
  const padded = first === (second < 0x80 ? 0x00 : 0xff)
  return padded ? 'an INTEGER is padded' : undefined
}

function bitStringFault(content: Uint8Array): string | undefined {
  const unused = content[0]
  if (unused === undefined || unused > 7) return 'a BIT STRING has no valid count of unused bits'
  if (content.length === 1) return unused === 0 ? undefined : 'an empty BIT STRING has unused bits'
  const last = content[content.length - 1] ?? 0
  return (last & ((1 << unused) - 1)) === 0 ? undefined : 'unused bits of a BIT STRING are set'
}

function oidFault(content: Uint8Array): string | undefined {
  let arcStarts = true
  for (const octet of content) {
    if (arcStarts && octet === 0x80) return 'an OBJECT IDENTIFIER is padded'
    arcStarts = octet < 0x80
  }
  return content.length > 0 && arcStarts ? undefined : 'an OBJECT IDENTIFIER is incomplete'
}

function malformed(walk: Walk, at: number, fault: string): never {
  return refuse('der-malformed', `${walk.what} is not valid DER at octet ${at}: ${fault}`)
}
