import * as fc from 'fast-check'
import { type Element, readDer } from '../../src/pki/der.ts'
import { tagged } from '../../src/pki/der_writer.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { signCsr } from './make_csr.ts'
import { type Seed, seeds } from './mutation_seeds.ts'

/** A changed request, as a stranger might send it. */
export interface Mutant {
  readonly seed: Seed
  readonly pem: string
}

/**
 * The ways to change a CSR. Signed again by its key, a changed body reaches the parser and the policy
 * behind the signature; as it is, it must end at the signature or before it.
 */
export const mutations: Readonly<Record<string, fc.Arbitrary<Mutant>>> = {
  'characters of the PEM': changed(
    fc.array(change(fc.integer({ min: 9, max: 126 })), { minLength: 1, maxLength: 3 }),
    ({ info, signature }, changes) => {
      const pem = pemOf(signCsr(info, signature))
      const octets = overwrite(Buffer.from(pem), changes)
      return Buffer.from(octets).toString('latin1')
    },
  ),
  octets: changed(octetChanges(), ({ info, signature }, changes) =>
    pemOf(overwrite(signCsr(info, signature), changes)),
  ),
  elements: changed(elementChange(), ({ info, signature }, edit) =>
    pemOf(rewriteOne(signCsr(info, signature), edit)),
  ),
  'octets of the body, signed again': changed(octetChanges(), ({ info, signature }, changes) =>
    pemOf(signCsr(overwrite(info, changes), signature)),
  ),
  'elements of the body, signed again': changed(elementChange(), ({ info, signature }, edit) =>
    pemOf(signCsr(rewriteOne(info, edit), signature)),
  ),
  'elements inside extensions, signed again': changed(
    fc.tuple(elementChange(), elementChange()),
    ({ info, signature }, [outer, inner]) =>
      pemOf(signCsr(rewriteExtension(info, outer.at, inner), signature)),
  ),
}

interface OctetChange {
  readonly at: number
  readonly value: number
}

interface Edit {
  readonly at: number
  readonly by: (element: Element, octet: number) => Uint8Array
  readonly octet: number
}

function changed<T>(
  changes: fc.Arbitrary<T>,
  apply: (seed: Seed, change: T) => string,
): fc.Arbitrary<Mutant> {
  return fc
    .tuple(fc.constantFrom(...seeds), changes)
    .map(([seed, one]) => ({ seed, pem: apply(seed, one) }))
}

function change(value: fc.Arbitrary<number>): fc.Arbitrary<OctetChange> {
  return fc.record({ at: fc.nat(), value })
}

function octetChanges(): fc.Arbitrary<readonly OctetChange[]> {
  return fc.array(change(fc.nat(255)), { minLength: 1, maxLength: 3 })
}

function elementChange(): fc.Arbitrary<Edit> {
  return fc.record({ at: fc.nat(), by: fc.constantFrom(...edits()), octet: fc.nat(255) })
}

/** A function, since `mutations` needs it before constants down here are there. */
function edits(): readonly Edit['by'][] {
  return [
    () => new Uint8Array(),
    ({ der }) => Uint8Array.of(...der, ...der),
    ({ content }, octet) => tagged(octet, content),
    ({ der }, octet) => tagged(octet, der),
    ({ tag }, octet) => tagged(tag, Uint8Array.of(octet)),
    ({ tag }) => tagged(tag),
    ({ tag, content }, octet) => tagged(tag, content, Uint8Array.of(octet)),
    ({ tag, content }) => tagged(tag, content.subarray(0, -1)),
    ({ tag, children }) => tagged(tag, ...children.toReversed().map((child) => child.der)),
    ({ der }, octet) => Uint8Array.of(...der.subarray(0, -1), octet),
    ({ tag, content }, octet) => tagged(tag, new Uint8Array(octet * 16).fill(content[0] ?? octet)),
  ]
}

function overwrite(octets: Uint8Array, changes: readonly OctetChange[]): Uint8Array {
  const copy = Uint8Array.from(octets)
  for (const { at, value } of changes) copy[at % copy.length] = value
  return copy
}

function rewriteOne(der: Uint8Array, { at, by, octet }: Edit): Uint8Array {
  const tree = readDer(der, 'the request')
  return rewrite(tree, at % countOf(tree), (element) => by(element, octet))
}

/** Edits what an OCTET STRING holds, which is opaque to `rewriteOne`. */
function rewriteExtension(info: Uint8Array, at: number, edit: Edit): Uint8Array {
  const tree = readDer(info, 'the request')
  const all = flat(tree)
  const strings = all.filter(({ tag }) => tag === 0x04)
  const chosen = strings[at % Math.max(strings.length, 1)]
  if (chosen === undefined) return info
  return rewrite(tree, all.indexOf(chosen), ({ tag, content }) =>
    tagged(tag, rewriteOne(content, edit)),
  )
}

/** In the order in which `rewrite` counts. */
function flat(element: Element): readonly Element[] {
  return [element, ...element.children.flatMap(flat)]
}

function countOf(element: Element): number {
  return element.children.reduce((count, child) => count + countOf(child), 1)
}

/** The encoding of `element` with its `target`-th element, counted from the outside in, replaced. */
function rewrite(
  element: Element,
  target: number,
  replace: (element: Element) => Uint8Array,
): Uint8Array {
  if (target === 0) return replace(element)
  let left = target - 1
  const children = element.children.map((child) => {
    const count = countOf(child)
    const within = left >= 0 && left < count
    const der = within ? rewrite(child, left, replace) : child.der
    left -= count
    return der
  })
  return tagged(element.tag, ...children)
}

function pemOf(der: Uint8Array): string {
  return encodePem('CERTIFICATE REQUEST', der)
}
