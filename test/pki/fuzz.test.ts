import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { parseCsr } from '../../src/pki/csr.ts'
import { type Element, readDer } from '../../src/pki/der.ts'
import { objectIdentifier, sequence, tagged } from '../../src/pki/der_writer.ts'
import { encodeKeyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { seal } from '../../src/pki/seal.ts'
import { encodeTbs } from '../../src/pki/tbs.ts'
import { decide } from '../../src/pki/template.ts'
import { limits, serverUsages } from './issue.ts'
import { type KeyType, keyOf, usualSignature, vaultSign } from './keys.ts'
import { makeAuthority, makeCa, now } from './make_ca.ts'
import { dnsName, extension, makeCsrDer, makeName, signCsr, subjectAltName } from './make_csr.ts'
import { accepted } from './outcomes.ts'

/** How many mutated requests a kind of mutation gets; raised for long runs. */
const runs = Number(process.env.PKI_FUZZ_RUNS ?? 600)

const root = makeCa({ name: 'Root' })
const rootCertificate = new X509Certificate(root.certificate.der)
const authority = makeAuthority(root)

const keyTypes: readonly KeyType[] = ['ECDSA P-256', 'RSA 2048', 'Ed25519']
const requests = keyTypes.map((type) => ({ key: keyOf(type), info: infoOf(type) }))

describe('a mutated CSR ends in a refusal or in a certificate that is right', () => {
  test('with its octets changed', (t) => {
    const change = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) })
    const stages = explore(
      fc.record({
        request: fc.constantFrom(...requests),
        changes: fc.array(change, { minLength: 1, maxLength: 3 }),
      }),
      ({ request, changes }) => {
        const der = Uint8Array.from(signCsr(request.info, usualSignature(request.key)))
        for (const { at, value } of changes) der[at % der.length] = value
        return der
      },
    )
    t.diagnostic(JSON.stringify(stages))
  })

  test('with the octets of its body changed and signed again', (t) => {
    const change = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) })
    const stages = explore(
      fc.record({
        request: fc.constantFrom(...requests),
        changes: fc.array(change, { minLength: 1, maxLength: 3 }),
      }),
      ({ request, changes }) => {
        const info = Uint8Array.from(request.info)
        for (const { at, value } of changes) info[at % info.length] = value
        return signCsr(info, usualSignature(request.key))
      },
    )
    t.diagnostic(JSON.stringify(stages))
  })

  test('with the elements of its body changed and signed again', (t) => {
    const change = fc.record({
      at: fc.nat(),
      by: fc.constantFrom(...operations),
      octet: fc.integer({ min: 0, max: 255 }),
    })
    const stages = explore(
      fc.record({ request: fc.constantFrom(...requests), change }),
      ({ request, change: { at, by, octet } }) => {
        const tree = readDer(request.info, 'the body')
        const target = at % countOf(tree)
        return signCsr(
          rewrite(tree, target, (element) => by(element, octet)),
          usualSignature(request.key),
        )
      },
    )
    t.diagnostic(JSON.stringify(stages))
    assert.ok(stages.issued > 0, 'no mutation reached the end')
  })
})

/** Runs the whole way for each input; counts where each one ended. */
function explore<T>(
  inputs: fc.Arbitrary<T>,
  derOf: (input: T) => Uint8Array,
): Record<Stage, number> {
  const stages: Record<Stage, number> = { parse: 0, decide: 0, issued: 0 }
  // biome-ignore lint/nursery/noFloatingPromises: a property that is not async has run when it returns
  fc.assert(
    fc.property(inputs, (input) => {
      const stage = answer(derOf(input))
      stages[stage] += 1
    }),
    { numRuns: runs },
  )
  return stages
}

/** Where a request ended. */
type Stage = 'parse' | 'decide' | 'issued'

function answer(der: Uint8Array): Stage {
  const csr = parseCsr(encodePem('CERTIFICATE REQUEST', der))
  if (!csr.ok) {
    assert.match(csr.refusal.message, /\w+ \w+/)
    return 'parse'
  }
  const decision = decide({
    csr: csr.value,
    request: { isCA: false, usages: serverUsages },
    limits,
    authority,
    now,
    serialBytes: new Uint8Array(16).fill(9),
  })
  if (!decision.ok) {
    assert.match(decision.refusal.message, /\w+ \w+/)
    return 'decide'
  }
  const tbs = encodeTbs(decision.value)
  const { pem } = accepted(seal(tbs, vaultSign(root.key, tbs.algorithm, tbs.der)))
  const certificate = new X509Certificate(pem)
  assert.ok(certificate.checkIssued(rootCertificate))
  assert.ok(certificate.verify(root.key.publicKey))
  assert.deepEqual(
    new Uint8Array(certificate.publicKey.export({ type: 'spki', format: 'der' })),
    csr.value.key.spki,
  )
  return 'issued'
}

type Operation = (element: Element, octet: number) => Uint8Array

const operations: readonly Operation[] = [
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
]

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

/** A CertificationRequestInfo as cert-manager writes it. */
function infoOf(type: KeyType): Uint8Array {
  const csr = makeCsrDer({
    key: keyOf(type),
    subject: makeName({ '2.5.4.10': 'Team', '2.5.4.3': 'myapp' }),
    extensions: [
      subjectAltName(dnsName('myapp.example.com'), dnsName('*.example.com')),
      extension(oid.keyUsage, encodeKeyUsage(0b101), true),
      extension(oid.extKeyUsage, sequence(objectIdentifier(oid.serverAuth))),
    ],
  })
  return readDer(csr, 'the request').children[0]?.der ?? new Uint8Array()
}
