import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { encodePem } from '../../src/pki/pem.ts'
import { bundleRoots, fingerprint } from '../../src/pki/roots.ts'
import { type Ca, makeCa } from './make_ca.ts'

const [a, b, c] = ['A', 'B', 'C'].map((name) => makeCa({ name }))
assert(a && b && c)
const idOf = (ca: Ca) => fingerprint(ca.certificate.der)
const pemOf = (...cas: readonly Ca[]) =>
  cas.map(({ certificate }) => encodePem('CERTIFICATE', certificate.der)).join('')

describe('the bundle of roots', () => {
  const cases: readonly (readonly [string, readonly Ca[], readonly Ca[], readonly Ca[]])[] = [
    ['is one root where there is one', [a], [], [a]],
    ['stands as given where nothing was published', [a, b], [], [a, b]],
    ['has a new root at the end', [a, b], [a], [a, b]],
    ['has a new root at the end when that signs', [b, a], [a], [a, b]],
    ['keeps its order whoever signs', [b, a], [a, b], [a, b]],
    ['has no root that was dropped', [b], [a, b], [b]],
    ['has a third root at the end', [c, b, a], [a, b], [a, b, c]],
    ['has no root twice', [a, a], [], [a]],
  ]
  for (const [title, roots, published, expected] of cases) {
    test(title, () => {
      const given = roots.map(({ certificate }) => certificate)
      const { pem } = bundleRoots(given, published.map(idOf))
      assert.equal(pem, pemOf(...expected))
    })
  }

  test('contains the octets of each bundle before it in a row, and of each after', () => {
    const steps = [
      bundleRoots([a.certificate], []),
      bundleRoots([a.certificate, b.certificate], [idOf(a)]),
      bundleRoots([b.certificate, a.certificate], [idOf(a), idOf(b)]),
      bundleRoots([b.certificate], [idOf(a), idOf(b)]),
    ].map(({ pem }) => pem)
    for (const [index, after] of steps.entries()) {
      const before = steps[index - 1] ?? after
      assert.ok(after.includes(before) || before.includes(after), `step ${index}`)
      assert.match(after, /-----END CERTIFICATE-----\n$/)
    }
  })
})

test('a fingerprint is what OpenSSL prints', () => {
  const printed = new X509Certificate(a.certificate.der).fingerprint256
  assert.equal(idOf(a), printed.replaceAll(':', '').toLowerCase())
})
