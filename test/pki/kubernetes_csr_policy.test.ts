import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseCsr } from '../../src/pki/csr.ts'
import { derTrue, sequence } from '../../src/pki/der_writer.ts'
import {
  cappedDurationMs,
  checkKubernetesCsr,
  type KubernetesCsrText,
  parseKubernetesCsrPolicy,
} from '../../src/pki/kubernetes_csr_policy.ts'
import { oid } from '../../src/pki/oids.ts'
import type { PolicyText } from '../../src/pki/policy.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import { dnsName, extension, makeCsr, subjectAltName, uriName } from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

const hour = 3_600_000
const policy: PolicyText = {
  uris: ['https://example.com/*'],
  isCA: { maxPathLen: 0 },
  duration: {
    defaultDurationMs: 48 * hour,
    minDurationMs: hour,
    maxDurationMs: 96 * hour,
    backdateMs: 0,
  },
}
const spiffe = subjectAltName(uriName('spiffe://cluster.local/ns/a/sa/b'))

function rules(text: KubernetesCsrText = {}, issuers = policy) {
  return accepted(parseKubernetesCsrPolicy(text, issuers))
}

describe('what an issuer says of CertificateSigningRequests', () => {
  test('shortens its policy, and takes CAs out of it', () => {
    const { limits } = rules({ maxDurationMs: 24 * hour }).policy
    const { defaultDurationMs, maxDurationMs, ca } = limits
    assert.deepEqual([defaultDurationMs, maxDurationMs, ca], [24 * hour, 24 * hour, undefined])
  })

  test('cannot lengthen its policy', () => {
    const { limits } = rules({ maxDurationMs: 960 * hour }).policy
    assert.deepEqual([limits.defaultDurationMs, limits.maxDurationMs], [48 * hour, 96 * hour])
  })

  const malformed: readonly (readonly [string, KubernetesCsrText, PolicyText, RegExp])[] = [
    ['namespaces', {}, { ...policy, namespaces: { all: true } }, /policy\.namespaces/],
    ['a maximum below the minimum', { maxDurationMs: 60_000 }, policy, /1m is below .* 1h/],
    ['a pattern that is none', { uris: ['spiffe://*/a'] }, policy, /kubernetesCSR\.uris has/],
  ]
  for (const [title, text, issuers, says] of malformed) {
    test(`is refused with ${title}`, () => {
      const outcome = parseKubernetesCsrPolicy(text, issuers)
      assertRefused(outcome, 'policy-malformed')
      assert.match(outcome.ok ? '' : outcome.refusal.message, says)
    })
  }
})

describe('a CertificateSigningRequest', () => {
  const isCa = extension(oid.basicConstraints, sequence(derTrue), true)
  const cases: readonly (readonly [
    string,
    Rule | undefined,
    KubernetesCsrText,
    readonly Uint8Array[],
    readonly string[],
  ])[] = [
    ['with a URI within the list', undefined, { uris: ['spiffe://cluster.local/*'] }, [spiffe], []],
    ['with a URI, and no list', 'policy-uri', {}, [spiffe], []],
    [
      'with a URI that only the policy has',
      'policy-uri',
      {},
      [subjectAltName(uriName('https://example.com/a'))],
      [],
    ],
    [
      'with a URI outside the list',
      'policy-uri',
      { uris: ['spiffe://cluster.local/ns/b/*'] },
      [spiffe],
      [],
    ],
    ['with a usage within the list', undefined, { usages: ['server auth'] }, [], ['server auth']],
    ['with any usage, and no list', undefined, {}, [], ['code signing']],
    ['with a usage outside', 'policy-usage', { usages: ['server auth'] }, [], ['client auth']],
    ['for a CA', 'is-ca-refused', {}, [isCa], []],
  ]
  for (const [title, rule, text, extensions, usages] of cases) {
    test(`${title}: ${rule ?? 'taken'}`, () => {
      const names = extensions.includes(isCa) || extensions.length === 0
      const all = names ? [subjectAltName(dnsName('a.example.com')), ...extensions] : extensions
      const csr = accepted(parseCsr(makeCsr({ extensions: all })))
      const outcome = checkKubernetesCsr(csr, usages, rules(text))
      if (rule === undefined) accepted(outcome)
      else assertRefused(outcome, rule)
    })
  }

  test('that asks for longer gets the longest; one that asks for nothing gets the default', () => {
    const some = rules({ maxDurationMs: 24 * hour })
    assert.deepEqual(
      [undefined, hour, 87_600 * hour].map((asked) => cappedDurationMs(asked, some)),
      [undefined, hour, 24 * hour],
    )
  })
})
