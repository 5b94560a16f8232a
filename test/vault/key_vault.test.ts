import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, beforeEach, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { TokenCredential } from '@azure/identity'
import { Agent } from 'undici'
import { systemClock } from '../../src/clock.ts'
import { type DevVault, startDevVault } from '../../src/devvault/dev_vault.ts'
import { IssuerError } from '../../src/error.ts'
import { isObject, objectAt, textAt } from '../../src/json.ts'
import { parseVaultUrl } from '../../src/vault/cloud.ts'
import { credentialOf, type Identity } from '../../src/vault/identity.ts'
import { holderOf } from '../../src/vault/identity_failure.ts'
import { KeyVault, type VaultCall } from '../../src/vault/key_vault.ts'
import { TokenSource } from '../../src/vault/token_source.ts'
import type { ObjectVersion } from '../../src/vault/vault.ts'

const never = new AbortController().signal
const data = Buffer.from('what is to be signed')
const digest = new Uint8Array(createHash('sha256').update(data).digest())

let devVault: DevVault
let dispatcher: Agent
let key: ObjectVersion
let publicJwk: Record<string, unknown>
let calls: VaultCall[]
/** Claims with which a token was asked for. */
let asked: (string | undefined)[]
let vault: KeyVault
let assertLeader: () => void

before(async () => {
  devVault = await startDevVault()
  // Connections to the production names go to it from here on.
  process.env.AKV_DEVVAULT_CONNECT = devVault.info.connect
  await import('../../src/devvault/redirect.mjs')
  const ca = readFileSync(devVault.info.caFile, 'utf8')
  setDefaultCACertificates([...getCACertificates('default'), ca])
  dispatcher = new Agent({ allowH2: false, connect: { ca } })
  const made = await devVault.control.manage('contoso', 'POST', 'keys/ca/create', {
    kty: 'EC',
    crv: 'P-256',
  })
  const jwk = isObject(made.body) ? objectAt(made.body, 'key') : undefined
  const version = textAt(jwk, 'kid')?.split('/').at(-1) ?? ''
  key = { name: 'ca', version }
  publicJwk = { ...jwk }
})

after(async () => {
  await dispatcher.close()
  await devVault.stop()
})

beforeEach(() => {
  calls = []
  asked = []
  assertLeader = () => undefined
  const { vaultHost, tenantId, identities } = devVault.info
  const product = identities.find(({ name }) => name === 'akv-issuer')
  const identity: Identity = {
    type: 'clientSecret',
    tenantId,
    clientId: product?.clientId ?? '',
    clientSecret: product?.clientSecret ?? '',
  }
  const location = parseVaultUrl(`https://${vaultHost}`, ['.vault.azure.net'])
  const credential = credentialOf(identity, location.cloud)
  const recording: TokenCredential = {
    getToken: (scopes, options) => {
      asked.push(options?.claims)
      return credential.getToken(scopes, options)
    },
  }
  const tokens = new TokenSource(holderOf(identity), recording, location.cloud, systemClock)
  const onCall = (call: VaultCall) => calls.push(call)
  vault = new KeyVault({
    location,
    tokens,
    inFlight: 8,
    dispatcher,
    clock: systemClock,
    assertLeader: () => assertLeader(),
    onCall,
  })
  devVault.control.faults.clear()
  devVault.control.journal.reset()
})

function signRequests(): number {
  return devVault.control.journal.requests().filter(({ operation }) => operation === 'keys/sign')
    .length
}

async function refusalOf(promise: Promise<unknown>): Promise<IssuerError> {
  const error: unknown = await promise.then(
    () => assert.fail('expected an error'),
    (thrown) => thrown,
  )
  assert(error instanceof IssuerError, String(error))
  return error
}

const sign = () => vault.sign({ key, algorithm: 'ES256', digest }, never)

test('one signature is one request, the first one too, and many share one token', async () => {
  const signatures = await Promise.all(Array.from({ length: 40 }, sign))
  const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' })
  for (const signature of signatures) {
    assert.equal(
      verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature),
      true,
    )
  }
  assert.equal(signRequests(), 40)
  const tokenRequests = devVault.control.journal
    .requests()
    .filter(({ operation }) => operation === 'entra/token')
  assert.equal(tokenRequests.length, 1, JSON.stringify(devVault.control.journal.counters()))
  assert.deepEqual(
    new Set(calls.map(({ operation, outcome }) => `${operation} ${outcome}`)),
    new Set(['sign ok']),
  )
})

test('a refused token is replaced once, and the signature asked for again', async () => {
  await sign()
  devVault.control.faults.add({ operation: 'keys/sign', status: 401 })
  await sign()
  assert.equal(signRequests(), 3)
})

test('what a vault claims of a token (continuous access evaluation) is asked of Entra', async () => {
  await sign()
  const claims = '{"access_token":{"nbf":{"essential":true,"value":"1760000000"}}}'
  const challenge = {
    'WWW-Authenticate':
      'Bearer authorization="https://login.microsoftonline.com/x", error="insufficient_claims", ' +
      `claims="${Buffer.from(claims).toString('base64')}"`,
  }
  devVault.control.faults.add({ operation: 'keys/sign', status: 401, headers: challenge })
  await sign()
  assert.deepEqual(asked, [undefined, claims])
  // The SDK has a good token of its own, and yet asks again.
  const requests = devVault.control.journal.requests()
  assert.deepEqual(
    requests
      .filter(({ operation }) => operation === 'entra/token' || operation === 'keys/sign')
      .map(({ operation, status }) => `${operation} ${status}`),
    ['entra/token 200', 'keys/sign 200', 'keys/sign 401', 'entra/token 200', 'keys/sign 200'],
  )
})

test('a token that is refused again is an error, not a loop', async () => {
  devVault.control.faults.add({ operation: 'keys/sign', status: 401, count: 5 })
  assert.equal((await refusalOf(sign())).code, 'IdentityRefused')
  assert.equal(signRequests(), 2)
})

test('429 surfaces at once, with the time that Key Vault asks for if it says one', async () => {
  devVault.control.faults.add({ operation: 'keys/sign', status: 429 })
  const bare = await refusalOf(sign())
  assert.deepEqual(
    [bare.code, bare.retry, bare.retryAfterMs],
    ['VaultThrottled', 'backoff', undefined],
  )
  devVault.control.faults.add({
    operation: 'keys/sign',
    status: 429,
    headers: { 'retry-after': '3' },
  })
  assert.equal((await refusalOf(sign())).retryAfterMs, 3_000)
  assert.equal(signRequests(), 2)
})

test('a broken connection and an answer that is none are passing trouble', async () => {
  devVault.control.faults.add({ operation: 'keys/sign', drop: true })
  assert.equal((await refusalOf(sign())).code, 'VaultUnavailable')
  devVault.control.faults.add({ operation: 'keys/sign', status: 503, body: { not: 'an error' } })
  assert.equal((await refusalOf(sign())).code, 'VaultUnavailable')
  devVault.control.faults.add({ operation: 'keys/sign', status: 200, body: { value: 'AAAA' } })
  assert.equal((await refusalOf(sign())).code, 'VaultAnswerInvalid')
})

test('a signature by another version of the key is not taken', async () => {
  const kid = `https://${devVault.info.vaultHost}/keys/ca/${'0'.repeat(32)}`
  devVault.control.faults.add({ operation: 'keys/sign', status: 200, body: { kid, value: 'AAAA' } })
  const error = await refusalOf(sign())
  assert.equal(error.code, 'VaultAnswerInvalid')
  assert.match(error.message, /Key Vault signed with .*00000000, expected /)
})

test('who gives up while the vault is silent is let go, and the place is free again', async () => {
  devVault.control.faults.add({ operation: 'keys/sign', delay: 60_000, count: 8 })
  const leaving = new AbortController()
  const waiting = Array.from({ length: 8 }, () =>
    vault.sign({ key, algorithm: 'ES256', digest }, leaving.signal),
  )
  await new Promise((resolve) => setTimeout(resolve, 200))
  leaving.abort(new Error('gave up'))
  for (const one of await Promise.allSettled(waiting)) assert.equal(one.status, 'rejected')
  devVault.control.faults.clear()
  await sign()
})

test('a call that waited beyond the lease does not leave', async () => {
  devVault.control.faults.add({ operation: 'keys/sign', delay: 100, count: 8 })
  const inside = Array.from({ length: 8 }, sign)
  const waiting = sign()
  assertLeader = () => {
    throw new IssuerError('LeaseLost', 'the lease is not ours')
  }
  assert.equal((await refusalOf(waiting)).code, 'LeaseLost')
  await Promise.allSettled(inside)
  assert(signRequests() <= 8, `${signRequests()} calls left`)
})

test('what is missing is named with its version, and what to check', async () => {
  const missing = { name: 'nothing', version: 'f'.repeat(32) }
  for (const [call, words] of [
    [
      () => vault.sign({ key: missing, algorithm: 'ES256', digest }, never),
      /sign with key "nothing"/,
    ],
    [() => vault.certificate(missing, never), /read certificate "nothing"/],
    [() => vault.secret(missing, never), /read secret "nothing"/],
  ] as const) {
    const error = await refusalOf(call())
    assert.equal(error.code, 'VaultNotFound')
    assert.match(error.message, words)
    assert.match(
      error.message,
      /with version f{32} is in this vault and not deleted, and that it is spelled right/,
    )
  }
})
