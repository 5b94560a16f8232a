import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { after, before, test } from 'node:test'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
import type { DevVault } from '../../../src/devvault/dev_vault.ts'
import { at, credentialOf, identityNamed, raw, startHere, stringAt, tokenOf } from '../here.ts'
import { apiVersion, devOnly } from './target.ts'

/** A Managed HSM: keys only, with answers of its own. Its roles are given here, so only on the dev vault. */

const host = 'contoso.managedhsm.azure.net'
const resource = 'https://managedhsm.azure.net'
let dev: DevVault
let token: string

before(async () => {
  dev = await startHere({ vaults: ['contoso', host] })
  const { clientId, clientSecret } = identityNamed(dev, 'operator')
  const secrets = [clientSecret ?? '']
  const permissions = [{ actions: ['keys/*'], vault: host }]
  dev.control.putIdentity({ name: 'operator', clientId, secrets, permissions })
  token = await tokenOf(dev, 'operator', resource)
})
after(() => dev.stop())

function call(method: string, path: string, body?: object, as = token) {
  const text = body && JSON.stringify(body)
  const asked = { host, method, path: `${path}?api-version=${apiVersion}`, token: as }
  return raw(dev, { ...asked, ...(text !== undefined && { body: text }) })
}

test('a Managed HSM challenges without a body', devOnly, async () => {
  const { status, headers, body } = await raw(dev, { host, path: '/keys/ca' })
  assert.equal(status, 401)
  assert.equal(body, undefined)
  assert.equal(
    headers['www-authenticate'],
    `Bearer authorization="https://login.microsoftonline.com/${dev.info.tenantId}", resource="https://managedhsm.azure.net"`,
  )
})

test('keys of a Managed HSM are of the HSM, whatever was asked for', devOnly, async () => {
  for (const [kty, made, operations] of [
    ['EC', 'EC-HSM', ['sign', 'verify', 'deriveKey']],
    ['RSA', 'RSA-HSM', ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']],
  ] as const) {
    const { body } = await call('POST', `/keys/contract-${kty}/create`, { kty })
    assert.equal(stringAt(body, 'key', 'kty'), made)
    assert.deepEqual(at(body, 'key', 'key_ops'), operations)
    assert.equal(at(body, 'attributes', 'hsmPlatform'), undefined)
  }
})

test('a signature of a Managed HSM names its algorithm beside the key', devOnly, async () => {
  const client = new KeyClient(`https://${host}`, credentialOf(dev))
  const key = await client.createEcKey('contract-signer')
  const data = Buffer.from('data')
  const value = createHash('sha256').update(data).digest()
  const { body } = await call('POST', new URL(`${key.id}/sign`).pathname, {
    alg: 'ES256',
    value: value.toString('base64url'),
  })
  assert.deepEqual(body, { alg: 'ES256', kid: key.id, value: stringAt(body, 'value') })
  const { result } = await new CryptographyClient(key, credentialOf(dev)).sign('ES256', value)
  const { x, y } = key.key ?? {}
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: Buffer.from(x ?? []).toString('base64url'),
    y: Buffer.from(y ?? []).toString('base64url'),
  }
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
  assert.ok(verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, result))
})

test('a Managed HSM has neither certificates nor secrets', devOnly, async () => {
  for (const area of ['certificates', 'secrets']) {
    assert.equal((await call('GET', `/${area}/ca`)).status, 404)
  }
})

test('what is given for all vaults is not given in a Managed HSM', devOnly, async () => {
  const { status, body } = await call(
    'POST',
    '/keys/ca/sign',
    {},
    await tokenOf(dev, 'akv-issuer', resource),
  )
  assert.equal(status, 403)
  assert.equal(stringAt(body, 'error', 'code'), 'AccessDenied')
  assert.match(
    stringAt(body, 'error', 'message'),
    /^Not authorized to access Microsoft\.KeyVault\/managedHsm\/keys\/sign\/action on \/keys\/ca \(Activity ID: [0-9a-f]+\)$/,
  )
})

test('a Managed HSM and a vault take no tokens of each other', devOnly, async () => {
  const forVaults = await tokenOf(dev)
  assert.equal((await call('GET', '/keys', undefined, forVaults)).status, 401)
  const path = `/keys?api-version=${apiVersion}`
  assert.equal((await raw(dev, { path, token })).status, 401)
})
