import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { readDer } from '../../src/pki/der.ts'
import { type CertificateSecret, readKeyMaterial } from '../../src/pki/key_material.ts'
import { makePfx, pemSecret, pkcs12Secret, vector, vectorText } from './make_pfx.ts'

/** How many mutated secrets a kind of mutation gets; raised for long runs. */
const runs = Number(process.env.PKI_FUZZ_RUNS ?? 200)

/** Far above what the rounds allowed to one file take, far below a hang. */
const maxMs = 20_000

const change = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) })
const changes = fc.array(change, { minLength: 1, maxLength: 3 })
type Changes = readonly { readonly at: number; readonly value: number }[]

describe('a mutated secret ends in a refusal or in a key with its certificate', () => {
  test('with the octets of a PFX changed', (t) =>
    explore(t, fc.record({ changes }), (input) =>
      pkcs12Secret(mutated(vector('one_iteration.pfx'), input.changes)),
    ))

  test('with the octets under the MAC changed and the MAC made anew', (t) => {
    const files = fc.constantFrom('unencrypted.pfx', 'one_iteration.pfx')
    return explore(t, fc.record({ file: files, changes }), async (input) =>
      pkcs12Secret(await makePfx({ safe: mutated(safeOf(vector(input.file)), input.changes) })),
    )
  })

  test('with the characters of a PEM changed', (t) => {
    const blocks = ['ec.sec1.pem', 'ec.crt.pem', 'intermediate.crt.pem', 'root.crt.pem']
    const text = Buffer.from(blocks.map(vectorText).join(''), 'latin1')
    return explore(t, fc.record({ changes }), (input) =>
      pemSecret(Buffer.from(mutated(text, input.changes)).toString('latin1')),
    )
  })

  test('with anything in the place of a PFX or a PEM', (t) => {
    const contentType = fc.constantFrom('application/x-pkcs12', 'application/x-pem-file')
    const value = fc.oneof(fc.base64String({ maxLength: 400 }), fc.string({ maxLength: 100 }))
    return explore(t, fc.record({ value, contentType }), (secret) => secret)
  })
})

/** Reads a secret for each input; tells how many were taken. */
async function explore<T>(
  t: { readonly diagnostic: (message: string) => void },
  inputs: fc.Arbitrary<T>,
  secretOf: (input: T) => CertificateSecret | Promise<CertificateSecret>,
): Promise<void> {
  let taken = 0
  let slowest = 0
  const property = fc.asyncProperty(inputs, async (input) => {
    const secret = await secretOf(input)
    const start = performance.now()
    const outcome = await readKeyMaterial(secret)
    slowest = Math.max(slowest, performance.now() - start)
    if (!outcome.ok) return assert.match(outcome.refusal.message, /\w+ \w+/)
    taken += 1
    const { certificate, privateKeyPkcs8Pem } = outcome.value
    const x509 = new X509Certificate(certificate.der)
    assert.ok(x509.checkPrivateKey(createPrivateKey(privateKeyPkcs8Pem)))
  })
  await fc.assert(property, { numRuns: runs })
  t.diagnostic(`${taken} of ${runs} taken, the slowest in ${slowest.toFixed(0)} ms`)
  assert.ok(slowest < maxMs)
}

function mutated(octets: Uint8Array, by: Changes): Uint8Array {
  const copy = Uint8Array.from(octets)
  for (const { at, value } of by) copy[at % copy.length] = value
  return copy
}

/** The octets that the MAC of a PFX is over. */
function safeOf(pfx: Uint8Array): Uint8Array {
  const authSafe = readDer(pfx, 'the PFX').children[1]
  return authSafe?.children[1]?.children[0]?.content ?? new Uint8Array()
}
