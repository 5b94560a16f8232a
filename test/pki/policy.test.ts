import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCsr } from '../../src/pki/csr.ts'
import { type PolicyText, parsePolicy } from '../../src/pki/policy.ts'
import { checkPolicy, type PolicyRequest } from '../../src/pki/policy_check.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import { limits } from './issue.ts'
import { type KeyType, keyOf } from './keys.ts'
import {
  dnsName,
  emailName,
  ipName,
  makeCsr,
  makeName,
  otherName,
  subjectAltName,
  uriName,
} from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

interface Ask {
  readonly commonName?: string
  readonly names?: readonly Uint8Array[]
  readonly key?: KeyType
  readonly request?: Partial<PolicyRequest>
}

function verdict(policy: Partial<PolicyText>, ask: Ask = {}) {
  const csr = makeCsr({
    key: keyOf(ask.key ?? 'ECDSA P-256', 'subject'),
    ...(ask.commonName !== undefined && { subject: makeName({ '2.5.4.3': ask.commonName }) }),
    extensions: [subjectAltName(...(ask.names ?? [dnsName('myapp.example.com')]))],
  })
  const request = {
    namespace: 'apps',
    namespaceLabels: {},
    isCA: false,
    usages: ['server auth'],
    ...ask.request,
  }
  const parsed = accepted(parsePolicy({ duration: limits, ...policy }))
  return checkPolicy(accepted(parseCsr(csr)), request, parsed)
}

const allowed: ReadonlyArray<readonly [name: string, policy: Partial<PolicyText>, ask?: Ask]> = [
  ['anything that says nothing closed, by the default', {}],
  ['a DNS name by pattern', { dnsNames: ['*.example.com'] }],
  ['a namespace by name', { namespaces: { names: ['apps'], matchLabels: {} } }],
  [
    'a namespace by all of its labels',
    { namespaces: { names: [], matchLabels: { team: 'a', env: 'p' } } },
    { request: { namespaceLabels: { team: 'a', env: 'p', more: 'x' } } },
  ],
  ['every namespace', { namespaces: { all: true } }],
  ['an address in a range', { ipRanges: ['10.0.0.0/8'] }, { names: [ipName(10, 1, 2, 3)] }],
  [
    'a URI below a beginning',
    { uris: ['spiffe://td/*'] },
    { names: [uriName('spiffe://td/ns/a')] },
  ],
  [
    'an email address of a domain',
    { emailDomains: ['example.com'] },
    { names: [emailName('a@example.com')] },
  ],
  [
    'an otherName of a type',
    { otherNames: ['1.2.4', '1.2.3'] },
    { names: [otherName('1.2.3', 'a')] },
  ],
  ['any otherName', { otherNames: ['*'] }, { names: [otherName('1.2.3', 'a')] }],
  ['a key type', { keyTypes: ['P-256', 'RSA-3072'] }],
  ['usages', { usages: ['server auth', 'client auth'] }],
  [
    'a common name that is one of the names',
    { dnsNames: ['*.example.com'] },
    { commonName: 'myapp.example.com' },
  ],
  [
    'a common name that would be allowed as a name',
    { dnsNames: ['*.example.com'] },
    { commonName: 'other.example.com' },
  ],
  ['any common name where any DNS name is allowed', {}, { commonName: 'anybody' }],
  [
    "a CA's common name",
    { isCA: { maxPathLen: 0, commonNames: ['istiod *'] } },
    { commonName: 'istiod cluster-a', request: { isCA: true } },
  ],
]

for (const [name, policy, ask] of allowed) {
  test(`the policy lets through ${name}`, () => {
    assert.deepEqual(verdict(policy, ask), { ok: true, value: undefined })
  })
}

const refused: ReadonlyArray<
  readonly [rule: Rule, words: RegExp, policy: Partial<PolicyText>, ask?: Ask]
> = [
  [
    'policy-namespace',
    /namespace "apps" may not use this issuer \(policy\.namespaces\)/,
    { namespaces: { names: ['infra'], matchLabels: {} } },
  ],
  [
    'policy-namespace',
    /policy\.namespaces/,
    { namespaces: { names: [], matchLabels: { team: 'a', env: 'p' } } },
    { request: { namespaceLabels: { team: 'a' } } },
  ],
  ['policy-namespace', /policy\.namespaces/, { namespaces: { names: [], matchLabels: {} } }],
  [
    'policy-namespace',
    /for isCA \(policy\.isCA\.namespaces\)/,
    { isCA: { maxPathLen: 0, namespaces: { names: ['istio-system'], matchLabels: {} } } },
    { request: { isCA: true } },
  ],
  [
    'policy-dns',
    /DNS name "myapp.example.com" is not allowed \(policy\.dnsNames: \*\.corp\.example\)/,
    { dnsNames: ['*.corp.example'] },
  ],
  [
    'policy-ip',
    /IP address "11\.0\.0\.1" is not allowed \(policy\.ipRanges: 10\.0\.0\.0\/8\)/,
    { ipRanges: ['10.0.0.0/8'] },
    { names: [ipName(11, 0, 0, 1)] },
  ],
  ['policy-ip', /policy\.ipRanges: none/, {}, { names: [ipName(11, 0, 0, 1)] }],
  ['policy-uri', /policy\.uris: none/, {}, { names: [uriName('spiffe://td/ns/a')] }],
  [
    'policy-email',
    /email address "a@other.example" is not allowed/,
    { emailDomains: ['example.com'] },
    { names: [emailName('a@other.example')] },
  ],
  [
    'policy-other-name',
    /otherName of type 1\.2\.3 is not allowed \(policy\.otherNames: 1\.2\.4\)/,
    { otherNames: ['1.2.4'] },
    { names: [otherName('1.2.3', 'a')] },
  ],
  ['policy-other-name', /policy\.otherNames: none/, {}, { names: [otherName('1.2.3', 'a')] }],
  [
    'policy-key-type',
    /ECDSA P-256 key is not allowed \(policy\.keyTypes: RSA-4096\)/,
    { keyTypes: ['RSA-4096'] },
  ],
  ['policy-key-type', /Ed25519/, { keyTypes: ['P-256'] }, { key: 'Ed25519' }],
  ['policy-usage', /usage "server auth" is not allowed/, { usages: ['client auth'] }],
  [
    'policy-common-name',
    /common name "admin" is neither one of the request's alternative names nor allowed/,
    { dnsNames: ['*.example.com'] },
    { commonName: 'admin' },
  ],
  [
    'policy-common-name',
    /common name "other" is not allowed for a CA/,
    { isCA: { maxPathLen: 0, commonNames: ['istiod *'] } },
    { commonName: 'other', request: { isCA: true } },
  ],
]

for (const [rule, words, policy, ask] of refused) {
  test(`${rule} refuses: ${words.source}`, () => assertRefused(verdict(policy, ask), rule, words))
}

test('one name that is not allowed spoils those that are', () => {
  const names = [dnsName('a.example.com'), dnsName('a.evil.example')]
  assertRefused(
    verdict({ dnsNames: ['*.example.com'] }, { names }),
    'policy-dns',
    /a\.evil\.example/,
  )
})

test('policy-malformed: a pattern or a duration that means nothing is named', () => {
  for (const [policy, words] of [
    [{ dnsNames: ['a*b'] }, /policy\.dnsNames has "a\*b"/],
    [{ ipRanges: ['10.0.0.0/33'] }, /policy\.ipRanges/],
    [{ uris: ['spiffe://a*'] }, /policy\.uris/],
    [{ emailDomains: ['@'] }, /policy\.emailDomains/],
    [{ isCA: { maxPathLen: 0, commonNames: ['a*b'] } }, /policy\.isCA\.commonNames/],
    [{ isCA: { maxPathLen: 0, nameConstraints: {} } }, /policy\.isCA\.nameConstraints/],
    [{ duration: { ...limits, maxDurationMs: 1 } }, /min ≤ default ≤ max/],
  ] as const) {
    assertRefused(parsePolicy({ duration: limits, ...policy }), 'policy-malformed', words)
  }
})

test('a policy opens to `decide` the kinds of names that it lists, and CAs when it allows them', () => {
  const text: PolicyText = {
    duration: limits,
    ipRanges: ['*'],
    uris: ['*'],
    isCA: { maxPathLen: 2 },
  }
  assert.deepEqual(accepted(parsePolicy(text)).limits, {
    ...limits,
    nameKinds: ['dns', 'ip', 'uri'],
    ca: { maxPathLength: 2 },
  })
  assert.deepEqual(accepted(parsePolicy({ duration: limits })).limits, {
    ...limits,
    nameKinds: ['dns'],
  })
})
