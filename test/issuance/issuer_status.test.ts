import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Issuer, parseIssuer } from '../../src/api/issuer.ts'
import { publishedRoots } from '../../src/api/published_roots.ts'
import type { IssuerState } from '../../src/issuance/issuer_state.ts'
import { statusToWrite } from '../../src/issuance/issuer_status.ts'
import type { RolloverProgress } from '../../src/issuance/rollover_status.ts'
import { bundleRoots, fingerprint } from '../../src/pki/roots.ts'
import { day, makeCa, now } from '../pki/make_ca.ts'
import { makeNext, makeSigner } from './make_signer.ts'

const root = makeCa({ name: 'Root', notAfter: now + 400 * day })
const next = makeCa({ name: 'Next Root', notAfter: now + 800 * day })
const signer = makeSigner(root)
const both = bundleRoots([root.certificate, next.certificate], [])

type Ready = Extract<IssuerState, { mode: 'sign' }>

const ready: Ready = { kind: 'ready', mode: 'sign', signer, next: undefined }

function statusFor(
  issuer: Issuer,
  state: Exclude<IssuerState, { kind: 'unknown' }> = ready,
  at = now,
  rollover: RolloverProgress = { kind: 'none' },
) {
  return statusToWrite(issuer, state, at, { behind: [], rollover })
}

function issuerWith(status: unknown, generation = 1) {
  const issuer = parseIssuer('ClusterIssuer', {
    metadata: { uid: 'u', name: 'akv-issuer', resourceVersion: '1', generation },
    spec: {
      vaultUrl: 'https://contoso.vault.azure.net',
      ca: { key: signer.key, certificate: { pem: 'x' } },
    },
    status,
  })
  assert(issuer !== undefined)
  return issuer
}

test('a proven issuer shows its CA, and what to watch for', () => {
  const written = statusFor(issuerWith(undefined))
  assert.deepEqual(
    written?.conditions.map(({ type, status, reason, observedGeneration }) => [
      type,
      status,
      reason,
      observedGeneration,
    ]),
    [
      ['Ready', 'True', 'Verified', 1],
      ['CAExpiring', 'False', 'FarFromExpiry', 1],
      ['CALimited', 'False', 'NoLimits', 1],
      ['CARollover', 'True', 'Settled', 1],
    ],
  )
  assert(written.ca !== undefined && 'keyId' in written.ca)
  assert.equal(written.ca.keyId, signer.keyId)
  assert.equal(written.ca.subject, 'CN=Root')
})

test('a status that is shown already is not written again', () => {
  const status = statusFor(issuerWith(undefined))
  assert.equal(statusFor(issuerWith(status), ready, now + 60_000), undefined)
  assert.notEqual(statusFor(issuerWith(status, 2)), undefined)
})

test('a CA that ends soon is told, and the transition time moves once', () => {
  const before = statusFor(issuerWith(undefined))
  const later = now + 380 * day
  const after = statusFor(issuerWith(before), ready, later)
  const expiring = after?.conditions.find(({ type }) => type === 'CAExpiring')
  assert.equal(expiring?.status, 'True')
  assert.match(expiring?.message ?? '', /CN=Root expires in 20 days/)
  assert.equal(after?.conditions[0].lastTransitionTime, before?.conditions[0].lastTransitionTime)
  assert.equal(statusFor(issuerWith(after), ready, later), undefined)
})

test('an issuer that is not ready shows why, and no CA but the roots it published', () => {
  const shown = statusFor(issuerWith(undefined))
  const state = { kind: 'not-ready', code: 'VaultForbidden', message: 'grant it' } as const
  const status = statusFor(issuerWith(shown), state, now + 1_000)
  assert.deepEqual(status, {
    mode: 'sign',
    ca: { roots: shown?.ca?.roots },
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'VaultForbidden',
        message: 'grant it',
        observedGeneration: 1,
        lastTransitionTime: '2026-11-22T10:00:01Z',
      },
    ],
  })
})

test('a root keeps the time since when it is published; one that is not any more is gone', () => {
  const first = statusFor(issuerWith(undefined))
  const rollover: Ready = { ...ready, signer: { ...signer, bundle: both }, next: makeNext(next) }
  const second = statusFor(issuerWith(first), rollover, now + 60_000)
  assert.deepEqual(
    second?.ca?.roots.map(({ subject, since }) => [subject, since]),
    [
      ['CN=Root', '2026-11-22T10:00:00Z'],
      ['CN=Next Root', '2026-11-22T10:01:00Z'],
    ],
  )
  assert.deepEqual(
    publishedRoots({ ca: second?.ca }).map(({ sha256 }) => sha256),
    both.roots.map(({ der }) => fingerprint(der)),
  )
  const third = statusFor(issuerWith(second), { ...ready, signer: makeSigner(next) }, now + 120_000)
  assert.deepEqual(
    third?.ca?.roots.map(({ subject, since }) => [subject, since]),
    [['CN=Next Root', '2026-11-22T10:01:00Z']],
  )
})

test('the next CA is watched like the one that signs, until it does', () => {
  const dying = makeCa({ name: 'Dying', notAfter: now + 9 * day, pathLength: 0 })
  const messages = (state: Ready) =>
    statusFor(issuerWith(undefined), state)
      ?.conditions.filter(({ type }) => type === 'CAExpiring' || type === 'CALimited')
      .map(({ message }) => message.replace(/ (expires|\(path).*/, ''))
  assert.deepEqual(messages({ ...ready, next: makeNext(dying) }), [
    'spec.ca.next: the CA certificate for CN=Dying',
    'spec.ca.next: no CA may stand below the CA certificate for CN=Dying',
  ])
  assert.deepEqual(messages({ ...ready, signer: makeSigner(dying), next: makeNext(dying, true) }), [
    'the CA certificate for CN=Dying',
    'no CA may stand below the CA certificate for CN=Dying',
  ])
})

test('what was counted before a restart stands until it is counted again', () => {
  const counting = { kind: 'counting' } as const
  const shown = statusFor(issuerWith(undefined))
  assert.equal(statusFor(issuerWith(shown), ready, now, counting), undefined)
  const ofAnother = statusFor(issuerWith(shown, 2), ready, now, counting)
  assert.equal(ofAnother?.conditions.at(-1)?.status, 'Unknown')
})
