import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeliverableEntry } from '../../src/api/delivery.ts'
import { wantedBy } from '../../src/issuance/fit.ts'
import { type Selection, selectCertificate } from '../../src/issuance/select_certificate.ts'
import type { DirectoryEntry } from '../../src/vault/certificate_directory.ts'
import { dnsName } from '../pki/make_csr.ts'
import { makeCertificate, makeDeliverer, makeVersion, type VersionParts } from './make_delivery.ts'

const all = { all: true } as const
const versionOf = (name: string, parts: VersionParts = {}): DirectoryEntry => ({
  name,
  current: makeVersion({ names: [dnsName(`${name}.example.com`)], ...parts }),
  trouble: undefined,
})

interface Given {
  readonly allowed: readonly DeliverableEntry[]
  readonly entries?: readonly DirectoryEntry[]
  readonly chosen?: string
  readonly namespace?: string
  readonly ofIssuerIn?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly dnsNames?: readonly string[]
}

function select(given: Given): Selection {
  const names = { ...makeCertificate().names, dnsNames: given.dnsNames ?? ['myapp.example.com'] }
  return selectCertificate({
    deliverer: makeDeliverer(given.allowed, given.ofIssuerIn),
    namespace: given.namespace ?? 'apps',
    namespaceLabels: given.labels ?? {},
    chosen: given.chosen,
    wanted: wantedBy(makeCertificate({ names })),
    entry: (name) =>
      given.entries?.find((entry) => entry.name.toLowerCase() === name.toLowerCase()),
  })
}

function nameOf(given: Given): string {
  const selection = select(given)
  return selection.kind === 'selected' ? selection.name : selection.kind
}

test('by its names: the one of the list that has exactly those', () => {
  const allowed = ['shop', 'myapp'].map((name) => ({ name, namespaces: all }))
  const entries = [versionOf('shop'), versionOf('myapp')]
  assert.equal(nameOf({ allowed, entries }), 'myapp')
  assert.equal(nameOf({ allowed, entries, dnsNames: ['shop.example.com'] }), 'shop')
  const both = ['shop.example.com', 'myapp.example.com']
  assert.equal(nameOf({ allowed, entries, dnsNames: both }), 'refused')
})

test('of two with the same names, the one whose key fits', () => {
  const allowed = ['rsa', 'ec'].map((name) => ({ name, namespaces: all }))
  const names = [dnsName('myapp.example.com')]
  const entries = [versionOf('rsa', { names, keyType: 'RSA 2048' }), versionOf('ec', { names })]
  assert.equal(nameOf({ allowed, entries }), 'ec')
})

test('a pattern is chosen by annotation alone, and by nothing outside of it', () => {
  const allowed = [{ name: 'team-a-*', namespaces: all }]
  const entries = [versionOf('team-a-myapp', { names: [dnsName('myapp.example.com')] })]
  assert.equal(nameOf({ allowed, entries }), 'refused')
  assert.equal(nameOf({ allowed, entries, chosen: 'team-a-myapp' }), 'team-a-myapp')
  assert.equal(nameOf({ allowed, entries, chosen: 'Team-A-MyApp' }), 'team-a-myapp')
  assert.equal(nameOf({ allowed, entries, chosen: 'team-a-other' }), 'unread')
  assert.equal(nameOf({ allowed, entries, chosen: 'team-b-myapp' }), 'refused')
})

test('what cannot be a name in Key Vault no pattern allows', () => {
  const allowed = [{ name: '*', namespaces: all }]
  for (const chosen of ['', '..', 'a/versions', 'a?x', 'ä', 'a b', 'a'.repeat(128)]) {
    assert.equal(nameOf({ allowed, chosen }), 'refused', chosen)
  }
  assert.equal(nameOf({ allowed, chosen: 'A-1' }), 'unread')
  assert.equal(nameOf({ allowed, chosen: 'a'.repeat(127) }), 'unread')
})

test('an entry is for namespaces by name or by all of its labels', () => {
  const entries = [versionOf('myapp')]
  const entryFor = (names: string[], matchLabels: Record<string, string>) => [
    { name: 'myapp', namespaces: { names, matchLabels } },
  ]
  const cases: ReadonlyArray<readonly [DeliverableEntry[], Record<string, string>, string]> = [
    [entryFor(['apps'], {}), {}, 'myapp'],
    [entryFor(['web'], {}), {}, 'refused'],
    [entryFor([], { team: 'a', tier: '1' }), { team: 'a', tier: '1', more: 'x' }, 'myapp'],
    [entryFor([], { team: 'a', tier: '1' }), { team: 'a' }, 'refused'],
    [entryFor([], {}), { team: 'a' }, 'refused'],
    [[{ name: 'myapp', namespaces: undefined }], {}, 'refused'],
  ]
  for (const [allowed, labels, expected] of cases) {
    assert.equal(nameOf({ allowed, entries, labels }), expected, JSON.stringify(allowed))
  }
})

test('an Issuer serves its own namespace and no other', () => {
  const allowed = [{ name: 'myapp', namespaces: undefined }]
  const entries = [versionOf('myapp')]
  assert.equal(nameOf({ allowed, entries, ofIssuerIn: 'apps' }), 'myapp')
  assert.equal(nameOf({ allowed, entries, ofIssuerIn: 'web' }), 'refused')
})

test('a refusal shows nothing of what the namespace may not have, not even that it is there', () => {
  const secret = { name: 'payroll', namespaces: { names: ['finance'], matchLabels: {} } }
  const allowed = [secret, { name: 'myapp', namespaces: all }]
  const entries = [versionOf('payroll'), versionOf('myapp')]
  const near = select({ allowed, entries, dnsNames: ['payroll.example.com', 'x.example.com'] })
  assert(near.kind === 'refused')
  assert.match(near.message, /the nearest is "myapp"/)
  assert.doesNotMatch(`${near.message}${near.advice}`, /payroll"|\[payroll.example.com\]/)

  const chosen = (name: string) => {
    const selection = select({ allowed, entries, chosen: name })
    return selection.kind === 'refused' ? selection.message.replaceAll(name, 'NAME') : 'given'
  }
  assert.equal(chosen('payroll'), chosen('nothing-of-the-kind'))
})

test('the nearest has the most names in common, and the block is all that is needed', () => {
  const allowed = ['shop', 'myapp'].map((name) => ({ name, namespaces: all }))
  const names = ['myapp.example.com', 'www.example.com'].map(dnsName)
  const entries = [versionOf('shop'), versionOf('myapp', { names, commonName: 'My App' })]
  const selection = select({ allowed, entries })
  assert.deepEqual(selection, {
    kind: 'refused',
    name: undefined,
    message:
      'no certificate that namespace "apps" may have is for exactly DNS names ' +
      '[myapp.example.com]; the nearest is "myapp": it is for DNS names [myapp.example.com, ' +
      'www.example.com, My App], and DNS names [myapp.example.com] are asked for',
    advice:
      'to have it, put into the spec of the Certificate:\n' +
      'commonName: "My App"\n' +
      'dnsNames: ["myapp.example.com","www.example.com"]\n' +
      'privateKey: {algorithm: ECDSA, size: 256}\n',
  })
})

test('what cannot be read yet is waited for: it may have the names', () => {
  const allowed = ['new', 'shop'].map((name) => ({ name, namespaces: all }))
  const message = 'the first version is still being made'
  const pending: DirectoryEntry = {
    name: 'new',
    current: undefined,
    trouble: { code: 'CertificateInvalid', message },
  }
  assert.deepEqual(select({ allowed, entries: [pending, versionOf('shop')] }), {
    kind: 'unavailable',
    name: 'new',
    message,
  })
})
