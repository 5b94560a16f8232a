import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIssuer } from '../../src/api/issuer.ts'
import { readPolicy } from '../../src/api/policy.ts'
import type { IssuerState } from '../../src/issuance/issuer_state.ts'
import { statusToWrite } from '../../src/issuance/issuer_status.ts'
import { noInformationUrls } from '../../src/pki/information_urls.ts'
import { parsePolicy } from '../../src/pki/policy.ts'
import { day, makeAuthority, makeCa, now } from '../pki/make_ca.ts'
import { accepted } from '../pki/outcomes.ts'
import { makeNoVault } from '../vault/no_vault.ts'

const version = '0123456789abcdef0123456789abcdef'
const keyId = `https://contoso.vault.azure.net/keys/ca/${version}`
const root = makeCa({ name: 'Root', notAfter: now + 400 * day })

function readyWith(ca = root): Exclude<IssuerState, { kind: 'unknown' }> {
  return {
    kind: 'ready',
    mode: 'sign',
    signer: {
      authority: makeAuthority(ca),
      policy: accepted(parsePolicy(readPolicy(undefined))),
      urls: noInformationUrls,
      vault: makeNoVault(),
      vaultHost: 'contoso.vault.azure.net',
      key: { name: 'ca', version },
      keyId,
    },
  }
}

function issuerWith(status: unknown, generation = 1) {
  const issuer = parseIssuer('ClusterIssuer', {
    metadata: { uid: 'u', name: 'akv-issuer', resourceVersion: '1', generation },
    spec: {
      vaultUrl: 'https://contoso.vault.azure.net',
      ca: { key: { name: 'ca', version }, certificate: { pem: 'x' } },
    },
    status,
  })
  assert(issuer !== undefined)
  return issuer
}

test('a proven issuer shows its CA, and what to watch for', () => {
  const written = statusToWrite(issuerWith(undefined), readyWith(), now)
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
    ],
  )
  assert.equal(written.ca?.keyId, keyId)
  assert.equal(written.ca?.subject, 'CN=Root')
})

test('a status that is shown already is not written again', () => {
  const status = statusToWrite(issuerWith(undefined), readyWith(), now)
  assert.equal(statusToWrite(issuerWith(status), readyWith(), now + 60_000), undefined)
  assert.notEqual(statusToWrite(issuerWith(status, 2), readyWith(), now), undefined)
})

test('a CA that ends soon is told, and the transition time moves once', () => {
  const before = statusToWrite(issuerWith(undefined), readyWith(), now)
  const later = now + 380 * day
  const after = statusToWrite(issuerWith(before), readyWith(), later)
  const expiring = after?.conditions.find(({ type }) => type === 'CAExpiring')
  assert.equal(expiring?.status, 'True')
  assert.match(expiring?.message ?? '', /CN=Root expires in 20 days/)
  assert.equal(after?.conditions[0].lastTransitionTime, before?.conditions[0].lastTransitionTime)
  assert.equal(statusToWrite(issuerWith(after), readyWith(), later), undefined)
})

test('an issuer that is not ready shows why, and no CA', () => {
  const shown = statusToWrite(issuerWith(undefined), readyWith(), now)
  const state = { kind: 'not-ready', code: 'VaultForbidden', message: 'grant it' } as const
  const status = statusToWrite(issuerWith(shown), state, now + 1_000)
  assert.deepEqual(status, {
    mode: 'sign',
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
