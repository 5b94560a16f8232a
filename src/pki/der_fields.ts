import { type Element, tags } from './der.ts'
import { refuse } from './refusal.ts'

/** Reads the fields of one SEQUENCE or SET in order. `what` names the structure in messages. */
export class Fields {
  readonly #elements: readonly Element[]
  readonly #what: string
  #next = 0

  constructor(element: Element, what: string, tag: number = tags.sequence) {
    this.#elements = expectTag(element, tag, what).children
    this.#what = what
  }

  /** The next field, which must be there and, when `tag` is given, have it. */
  required(field: string, tag?: number): Element {
    const element = this.#elements[this.#next]
    if (element === undefined) return refuse('structure', `${this.#what} has no ${field}`)
    this.#next += 1
    return tag === undefined ? element : expectTag(element, tag, `${field} of ${this.#what}`)
  }

  /** The next field if it has `tag`. */
  optional(tag: number): Element | undefined {
    const element = this.#elements[this.#next]
    if (element?.tag !== tag) return undefined
    this.#next += 1
    return element
  }

  /** Refuses fields that nobody asked for. */
  end(): void {
    if (this.#next < this.#elements.length) {
      refuse('structure', `${this.#what} has more fields than its definition`)
    }
  }
}

export function expectTag(element: Element, tag: number, what: string): Element {
  if (element.tag === tag) return element
  return refuse('structure', `${what} has tag ${hexTag(element.tag)}; expected ${hexTag(tag)}`)
}

/** The one element inside an EXPLICIT tag. */
export function explicitly(element: Element, what: string): Element {
  const [inner, ...others] = element.children
  if (inner !== undefined && others.length === 0) return inner
  return refuse('structure', `${what} does not hold exactly one value`)
}

/** The longest in use have 20. Validators set bounds of their own to what nobody uses. */
const maxArcs = 32

/** Dotted decimal. */
export function readOid(element: Element, what: string): string {
  const { content } = expectTag(element, tags.oid, what)
  const arcs: number[] = []
  let arc = 0
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER / 128) refuse('structure', `${what} has an arc out of range`)
    if (octet >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  if (arcs.length < 2 || arcs.length >= maxArcs) {
    refuse('structure', `${what} does not have the 3 to ${maxArcs} numbers of an identifier in use`)
  }
  const [first = 0, ...rest] = arcs
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...rest].join('.')
}

/** A number from 0 to 255: versions, path lengths, salt lengths. */
export function readSmallInteger(element: Element, what: string): number {
  const { content } = expectTag(element, tags.integer, what)
  const octets = content[0] === 0 ? content.subarray(1) : content
  const negative = (content[0] ?? 0) >= 0x80
  if (negative || octets.length > 1) refuse('structure', `${what} is not between 0 and 255`)
  return octets[0] ?? 0
}

/** The octets of a BIT STRING that holds whole octets: keys and signatures. */
export function readBitOctets(element: Element, what: string): Uint8Array {
  const { content } = expectTag(element, tags.bitString, what)
  if (content[0] !== 0) refuse('structure', `${what} is not a whole number of octets`)
  return content.subarray(1)
}

function hexTag(tag: number): string {
  return `0x${tag.toString(16).padStart(2, '0')}`
}
