import assert from 'node:assert/strict'
import { createPublicKey, hash, randomBytes, verify } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
import { SecretClient } from '@azure/keyvault-secrets'
import { at, credentialOf, type RawAnswer, refusal, stringAt } from '../here.ts'
import { devOnly, Target } from './target.ts'

let target: Target
let client: KeyClient

before(async () => {
  target = await Target.start()
  client = new KeyClient(target.url, target.credential)
})
after(() => target.stop())

async function made(what: string, body: object = { kty: 'EC' }): Promise<string> {
  const name = target.name('keys', what)
  assert.equal((await target.call('POST', `/keys/${name}/create`, body)).status, 200)
  return name
}

function sign(name: string, version = '', value = Buffer.alloc(32), alg = 'ES256') {
  const body = { alg, value: value.toString('base64url') }
  return target.call('POST', `/keys/${name}/${version}/sign`, body)
}

function codesOf({ status, body }: RawAnswer): readonly unknown[] {
  return [status, at(body, 'error', 'code'), at(body, 'error', 'innererror', 'code')]
}

test('a request without a token is met by the challenge, whatever it asks', async () => {
  for (const path of ['/keys/contract-none', '/certificates', '/secrets/contract-none']) {
    const { status, headers, body } = await target.call('GET', path, undefined, { token: '' })
    assert.equal(status, 401)
    assert.match(
      headers['www-authenticate'] ?? '',
      /^Bearer authorization="https:\/\/login\.microsoftonline\.com\/[0-9a-f-]{36}", resource="https:\/\/vault\.azure\.net"$/,
    )
    assert.deepEqual(body, {
      error: {
        code: 'Unauthorized',
        message: 'AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.',
      },
    })
  }
})

test('every answer carries a request id, region and the address that was seen', async () => {
  const { headers } = await target.call('GET', '/keys/contract-none')
  assert.match(headers['x-ms-request-id'] ?? '', /^[0-9a-f-]{32,36}$/)
  assert.ok(headers['x-ms-keyvault-region'])
  assert.match(headers['x-ms-keyvault-service-version'] ?? '', /^\d+(\.\d+){3}$/)
  assert.match(headers['x-ms-keyvault-network-info'] ?? '', /addr=[0-9a-f.:]+;/)
})

test('what is not there is told by its kind', async () => {
  const kinds = [
    ['keys', 'KeyNotFound', 'key'],
    ['certificates', 'CertificateNotFound', 'certificate'],
    ['secrets', 'SecretNotFound', 'secret'],
  ] as const
  for (const [area, code, kind] of kinds) {
    const { status, body } = await target.call('GET', `/${area}/contract-none`)
    assert.equal(status, 404)
    assert.deepEqual(body, {
      error: {
        code,
        message: `A ${kind} with (name/id) contract-none was not found in this key vault. If you recently deleted this ${kind} you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
      },
    })
  }
})

test('a new key has the operations of its type', async () => {
  const rsa = await made('rsa', { kty: 'RSA' })
  const { body } = await target.call('GET', `/keys/${rsa}`)
  const all = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']
  assert.deepEqual(at(body, 'key', 'key_ops'), all)
  assert.equal(at(body, 'key', 'e'), 'AQAB')
  const ec = await target.call('GET', `/keys/${await made('ec')}`)
  assert.deepEqual(at(ec.body, 'key', 'key_ops'), ['sign', 'verify'])
  assert.equal(at(ec.body, 'key', 'crv'), 'P-256')
})

test('a signature names the version that made it, the latest unless told', async () => {
  const name = await made('versions')
  const first = stringAt((await target.call('GET', `/keys/${name}`)).body, 'key', 'kid')
  await target.call('POST', `/keys/${name}/create`, { kty: 'EC' })
  const second = stringAt((await target.call('GET', `/keys/${name}`)).body, 'key', 'kid')
  assert.equal(stringAt((await sign(name)).body, 'kid'), second)
  const old = await sign(name, first.split('/').at(-1))
  assert.equal(stringAt(old.body, 'kid'), first)
})

test('an EC signature is r and s side by side', async () => {
  for (const [crv, alg, digest, length] of [
    ['P-256', 'ES256', 'sha256', 64],
    ['P-384', 'ES384', 'sha384', 96],
    ['P-521', 'ES512', 'sha512', 132],
  ] as const) {
    const name = await made(crv, { kty: 'EC', crv })
    const { body } = await sign(name, '', hash(digest, 'x', 'buffer'), alg)
    const signature = Buffer.from(stringAt(body, 'value'), 'base64url')
    assert.equal(signature.length, length)
    const key = at((await target.call('GET', `/keys/${name}`)).body, 'key')
    const { x, y } = Object(key)
    const publicKey = createPublicKey({ key: { kty: 'EC', crv, x, y }, format: 'jwk' })
    const options = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    assert.equal(verify(digest, Buffer.from('x'), options, signature), true)
  }
})

test('a digest must be as long as the algorithm says', async () => {
  const name = await made('length')
  for (const length of [20, 31, 48]) {
    const answer = await sign(name, '', randomBytes(length))
    assert.deepEqual(codesOf(answer), [400, 'BadParameter', undefined])
  }
})

test('a disabled key does not sign, and can be read and changed', async () => {
  const name = await made('disabled', { kty: 'EC', attributes: { enabled: false } })
  assert.deepEqual(codesOf(await sign(name)), [403, 'Forbidden', 'KeyDisabled'])
  assert.equal((await target.call('GET', `/keys/${name}`)).status, 200)
  const changed = await target.call('PATCH', `/keys/${name}`, { tags: { a: 'b' } })
  assert.equal(changed.status, 200)
})

test('a key without the operation refuses it', async () => {
  const name = await made('verify-only', { kty: 'EC', key_ops: ['verify'] })
  assert.deepEqual(codesOf(await sign(name)), [403, 'Forbidden', 'KeyOperationForbidden'])
})

test('a key does not sign outside its dates', async () => {
  const now = Math.floor(Date.now() / 1000)
  const expired = await made('expired', { kty: 'EC', attributes: { exp: now - 3600 } })
  const early = await made('early', { kty: 'EC', attributes: { nbf: now + 3600 } })
  for (const name of [expired, early]) assert.equal((await sign(name)).status, 403)
})

test('a deleted name is taken until it is recovered', async () => {
  const name = await made('deleted')
  const deletion = await client.beginDeleteKey(name, target.poll)
  const { properties } = await deletion.pollUntilDone()
  assert.equal(properties.recoveryId, `${target.url}/deletedkeys/${name}`)
  const again = await target.call('POST', `/keys/${name}/create`, { kty: 'EC' })
  assert.deepEqual(codesOf(again), [409, 'Conflict', 'ObjectIsDeletedButRecoverable'])
  const recovery = await client.beginRecoverDeletedKey(name, target.poll)
  await recovery.pollUntilDone()
  assert.equal((await client.getKey(name)).name, name)
})

test('a list has at most 25 items on a page', async () => {
  const names = Array.from({ length: 26 }, (_, index) => target.name('secrets', `list-${index}`))
  const secrets = new SecretClient(target.url, target.credential)
  for (const name of names) await secrets.setSecret(name, 'x')
  const found = new Set<string>()
  for await (const page of secrets.listPropertiesOfSecrets().byPage()) {
    assert.ok(page.length <= 25)
    for (const { name } of page) found.add(name)
  }
  assert.deepEqual(
    names.filter((name) => !found.has(name)),
    [],
  )
  const { body } = await target.call('GET', '/secrets')
  assert.match(stringAt(body, 'nextLink'), /\$skiptoken=/)
})

test('names compare without regard to case', async () => {
  const name = await made('case')
  const { body } = await target.call('GET', `/keys/${name.toUpperCase()}`)
  assert.equal(stringAt(body, 'key', 'kid').split('/').at(-2), name)
})

test('the SDK takes one request a signature in object form', devOnly, async () => {
  const key = await client.getKey(await made('counted'))
  const crypto = new CryptographyClient(key, target.credential)
  for (let round = 0; round < 3; round += 1) await crypto.sign('ES256', new Uint8Array(32))
  const counts = target.dev.control.journal.counters()['keys/sign'] ?? {}
  assert.deepEqual(counts[`contoso/${key.name}`], { 200: 3, 401: 1 })
})

test('a 429 without Retry-After reaches the caller of the SDK at once', devOnly, async () => {
  const name = await made('throttled')
  target.dev.control.faults.add({ operation: 'keys/get', object: `contoso/${name}`, status: 429 })
  await assert.rejects(client.getKey(name), refusal(429, 'Throttled'))
  const counts = target.dev.control.journal.counters()['keys/get'] ?? {}
  assert.deepEqual(counts[`contoso/${name}`], { 429: 1 })
})

test('a 429 with Retry-After is tried again by the SDK', devOnly, async () => {
  const name = await made('patient')
  const headers = { 'Retry-After': '1' }
  const fault = { operation: 'keys/get', object: `contoso/${name}`, status: 429, headers }
  target.dev.control.faults.add(fault)
  assert.equal((await client.getKey(name)).name, name)
})

test('quotas weigh key types, and count HSM keys apart', devOnly, async () => {
  const { quota } = target.dev.control
  const soft = await made('soft')
  const hard = await made('hard', { kty: 'EC-HSM' })
  // The whole budget is one signature with a software key: half of that is one with an HSM key.
  quota.set({ enabled: true, share: 1 / 4000 })
  // A window must not end between the three.
  if (Date.now() % 10_000 > 9000) await delay(1000)
  const statuses = [await sign(soft), await sign(soft), await sign(hard)].map((one) => one.status)
  quota.set({ enabled: false })
  assert.deepEqual(statuses, [200, 429, 429])
})

test('a caller without the right is told action and resource', devOnly, async () => {
  const name = await made('forbidden')
  const limited = new KeyClient(target.url, credentialOf(target.dev, 'akv-issuer'))
  await assert.rejects(limited.createEcKey(name), refusal(403, 'Forbidden', 'ForbiddenByRbac'))
  await assert.rejects(
    limited.createEcKey(name),
    new RegExp(
      `Action: 'Microsoft\\.KeyVault/vaults/keys/create/action'\\s+Resource: '.*/${name}'`,
    ),
  )
})
