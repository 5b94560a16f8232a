/** The few pieces of DER (X.690) that this folder writes and reads. */

export function tlv(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(content)
  return Buffer.concat([Uint8Array.of(tag), lengthOf(body.length), body])
}

export function sequence(...content: readonly Uint8Array[]): Uint8Array {
  return tlv(0x30, ...content)
}

export function set(...content: readonly Uint8Array[]): Uint8Array {
  return tlv(0x31, ...content)
}

export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const group = [arc & 0x7f]
    for (let high = arc >>> 7; high > 0; high >>>= 7) group.unshift((high & 0x7f) | 0x80)
    bytes.push(...group)
  }
  return tlv(0x06, Uint8Array.from(bytes))
}

/** A non-negative INTEGER from its big-endian bytes. */
export function integer(bytes: Uint8Array): Uint8Array {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1
  const body = bytes.subarray(start)
  const negative = ((body[0] ?? 0) & 0x80) !== 0
  return tlv(0x02, ...(negative ? [Uint8Array.of(0), body] : [body]))
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return tlv(0x03, Uint8Array.of(unusedBits), bytes)
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return tlv(0x04, bytes)
}

export function text(tag: number, value: string): Uint8Array {
  return tlv(tag, Buffer.from(value, 'utf8'))
}

export const nullValue: Uint8Array = Uint8Array.of(0x05, 0)
export const trueValue: Uint8Array = Uint8Array.of(0x01, 1, 0xff)

/** A small non-negative INTEGER, such as a version or a count of iterations. */
export function smallInteger(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return integer(bytes)
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
export function time(ms: number): Uint8Array {
  const digits = `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  return digits < '2050' ? text(0x17, digits.slice(2)) : text(0x18, digits)
}

/** A text of two bytes a character, without tag. */
export function bmp(value: string): Uint8Array {
  return Buffer.from(value, 'utf16le').swap16()
}

export interface Element {
  readonly tag: number
  readonly content: Uint8Array
  /** Tag, length and content. */
  readonly bytes: Uint8Array
}

/** The elements that follow one another in `bytes`; nothing when they are not DER. */
export function elements(bytes: Uint8Array): readonly Element[] | undefined {
  const found: Element[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0
    const first = bytes[at + 1] ?? 0x80
    const extra = first < 0x80 ? 0 : first & 0x7f
    if (first === 0x80 || extra > 4) return undefined
    let length = extra === 0 ? first : 0
    for (let index = 0; index < extra; index += 1) {
      length = length * 256 + (bytes[at + 2 + index] ?? 0)
    }
    const start = at + 2 + extra
    const end = start + length
    if (end > bytes.length) return undefined
    found.push({ tag, content: bytes.subarray(start, end), bytes: bytes.subarray(at, end) })
    at = end
  }
  return found
}

/** The elements inside a constructed one; none for anything else. */
export function children(element: Element | undefined): readonly Element[] {
  return (element && elements(element.content)) ?? []
}

/** Dotted form of an OBJECT IDENTIFIER; empty for any other element. */
export function oidText(element: Element | undefined): string {
  if (element?.tag !== 0x06) return ''
  const arcs: number[] = []
  let arc = 0
  for (const byte of element.content) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const [head = 0, ...rest] = arcs
  const first = Math.min(2, Math.floor(head / 40))
  return [first, head - 40 * first, ...rest].join('.')
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Uint8Array.of(0x80 | bytes.length, ...bytes)
}
