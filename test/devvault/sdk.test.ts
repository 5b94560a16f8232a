import assert from 'node:assert/strict'
import { constants, createPublicKey, generateKeyPairSync, hash, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  ClientAssertionCredential,
  type TokenCredential,
  WorkloadIdentityCredential,
} from '@azure/identity'
import { CryptographyClient, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys'
import { request } from 'undici'
import { type DevVault, startDevVault } from '../../src/devvault/dev_vault.ts'
import { signatureAlgorithms } from '../../src/devvault/sign_digest.ts'
import { credentialOf, identityNamed, refusal, startHere } from './here.ts'
import { jwt } from './jwt.ts'

/** The unmodified SDK with its default options: challenge verification and authority checks on. */

const dir = mkdtempSync(join(tmpdir(), 'akv-devvault-sdk-'))
let vault: DevVault
let url: string
let credential: TokenCredential
let keys: KeyClient

before(async () => {
  vault = await startHere()
  url = `https://${vault.info.vaultHost}`
  credential = credentialOf(vault)
  keys = new KeyClient(url, credential)
})
after(async () => {
  await vault.stop()
  rmSync(dir, { recursive: true })
})

/** In object form: no `keys/get` before the first signature. */
function signerOf(key: KeyVaultKey, as = credential): CryptographyClient {
  const id = key.id ?? ''
  return new CryptographyClient({ ...key, id, key: { ...key.key, kid: id } }, as)
}

function base64url(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64url')
}

function publicKeyOf(key: KeyVaultKey) {
  const { kty = '', crv = '', n, e, x, y } = key.key ?? {}
  const jwk =
    kty === 'RSA'
      ? { kty, n: base64url(n), e: base64url(e) }
      : { kty, crv, x: base64url(x), y: base64url(y) }
  return createPublicKey({ key: jwk, format: 'jwk' })
}

describe('CryptographyClient', () => {
  const message = Buffer.from('to be signed')
  for (const [alg, algorithm] of signatureAlgorithms) {
    test(`signs with ${alg}`, async () => {
      const name = algorithm.crv ?? 'rsa'
      const key = algorithm.crv
        ? await keys.createEcKey(name, { curve: algorithm.crv })
        : await keys.createRsaKey(name, { keySize: 2048 })
      const digest = hash(algorithm.hash, message, 'buffer')
      const { result, keyID } = await signerOf(key).sign(alg, digest)
      assert.equal(keyID, key.id)
      const publicKey = publicKeyOf(key)
      const padding =
        algorithm.scheme === 'pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
      const options = algorithm.crv
        ? ({ key: publicKey, dsaEncoding: 'ieee-p1363' } as const)
        : { key: publicKey, padding, saltLength: algorithm.digestLength }
      assert.equal(verify(algorithm.hash, message, options, result), true)
    })
  }

  test('costs one request a signature after its challenge', async () => {
    const key = await keys.createEcKey('counted')
    const client = signerOf(key)
    const digest = hash('sha256', message, 'buffer')
    for (let round = 0; round < 5; round += 1) await client.sign('ES256', digest)
    const { 'contoso/counted': counts } = vault.control.journal.counters()['keys/sign'] ?? {}
    assert.deepEqual(counts, { 200: 5, 401: 1 })
  })

  test('sees the inner code of a refusal', async () => {
    const key = await keys.createEcKey('disabled', { enabled: false })
    await assert.rejects(
      signerOf(key).sign('ES256', new Uint8Array(32)),
      refusal(403, 'Forbidden', 'KeyDisabled'),
    )
  })
})

describe('KeyClient', () => {
  test('reads versions, pins an old one and lists more than a page', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `listed-${index}`)
    for (const name of names)
      await vault.control.manage('contoso', 'POST', `keys/${name}/create`, { kty: 'EC' })
    const found = new Set<string>()
    let pages = 0
    for await (const page of keys.listPropertiesOfKeys().byPage()) {
      assert.ok(page.length <= 25)
      pages += 1
      for (const { name } of page) found.add(name)
    }
    assert.ok(pages >= 2)
    assert.deepEqual(
      names.filter((name) => !found.has(name)),
      [],
    )

    const first = await keys.createEcKey('rotated')
    const second = await keys.createEcKey('rotated')
    const versions: (string | undefined)[] = []
    for await (const { version } of keys.listPropertiesOfKeyVersions('rotated'))
      versions.push(version)
    assert.deepEqual(versions.sort(), [first.properties.version, second.properties.version].sort())
    assert.equal((await keys.getKey('rotated')).id, second.id)
    const old = await keys.getKey('rotated', { version: first.properties.version ?? '' })
    assert.equal((await signerOf(old).sign('ES256', new Uint8Array(32))).keyID, first.id)
  })

  test('a list that ends with a full page has one more, empty', async () => {
    const other = await startDevVault()
    for (let index = 0; index < 25; index += 1) {
      await other.control.manage('contoso', 'PUT', `secrets/s-${index}`, { value: 'x' })
    }
    const first = await other.control.manage('contoso', 'GET', 'secrets')
    await other.stop()
    assert.match(
      JSON.stringify(first.body),
      /"nextLink":"https:\/\/contoso\.vault\.azure\.net:443\/secrets\?api-version=2025-07-01&\$skiptoken=[^"]+"/,
    )
  })

  test('imports, changes and deletes', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const { kty = '', crv = '', x = '', y = '', d = '' } = privateKey.export({ format: 'jwk' })
    const numbers = {
      x: Buffer.from(x, 'base64url'),
      y: Buffer.from(y, 'base64url'),
      d: Buffer.from(d, 'base64url'),
    }
    const jwk = { kty, crv, ...numbers, keyOps: ['sign'] }
    const key = await keys.importKey('imported', jwk, { tags: { from: 'outside' } })
    assert.deepEqual(key.keyOperations, ['sign'])
    const { result } = await signerOf(key).sign('ES384', hash('sha384', 'x', 'buffer'))
    const options = { key: createPublicKey(privateKey), dsaEncoding: 'ieee-p1363' } as const
    assert.equal(verify('sha384', Buffer.from('x'), options, result), true)

    const expiresOn = new Date('2030-01-01T00:00:00Z')
    const changed = await keys.updateKeyProperties('imported', { expiresOn })
    assert.deepEqual(changed.properties.expiresOn, expiresOn)
    assert.deepEqual(changed.properties.tags, { from: 'outside' })
    const poller = await keys.beginDeleteKey('imported', { intervalInMs: 10 })
    await poller.pollUntilDone()
    await assert.rejects(keys.getKey('imported'), { statusCode: 404, code: 'KeyNotFound' })
  })

  test('finds no vault that does not exist', async () => {
    const missing = new KeyClient('https://missing.vault.azure.net', credential, {
      retryOptions: { maxRetries: 0 },
    })
    await assert.rejects(missing.getKey('x'), { code: 'ENOTFOUND' })
  })
})

describe('credentials', () => {
  const issuer = 'https://kubernetes.default.svc.cluster.local'
  const subject = 'system:serviceaccount:akv-issuer:akv-issuer'
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

  function serviceAccountToken(): string {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: issuer,
      sub: subject,
      aud: ['api://AzureADTokenExchange'],
      nbf: now,
      exp: now + 600,
    }
    return jwt({ alg: 'RS256', kid: 'sa' }, claims, privateKey)
  }

  before(async () => {
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'sa', use: 'sig' }] }
    vault.control.addFederation(identityNamed(vault, 'akv-issuer').clientId, {
      issuer,
      subject,
      jwks,
    })
    await keys.createEcKey('for-workload')
  })

  test('WorkloadIdentityCredential exchanges the projected token', async () => {
    const tokenFilePath = join(dir, 'token')
    writeFileSync(tokenFilePath, serviceAccountToken())
    const { tenantId } = vault.info
    const { clientId } = identityNamed(vault, 'akv-issuer')
    const workload = new WorkloadIdentityCredential({ tenantId, clientId, tokenFilePath })
    const key = await new KeyClient(url, workload).getKey('for-workload')
    assert.equal((await signerOf(key, workload).sign('ES256', new Uint8Array(32))).keyID, key.id)
    // The default identity has no more than the product needs.
    await assert.rejects(new KeyClient(url, workload).createEcKey('x'), {
      statusCode: 403,
      code: 'Forbidden',
    })
  })

  test('ClientAssertionCredential as well, and a refusal tells its code', async () => {
    const { tenantId } = vault.info
    const { clientId } = identityNamed(vault, 'akv-issuer')
    const scope = 'https://vault.azure.net/.default'
    const good = new ClientAssertionCredential(tenantId, clientId, async () =>
      serviceAccountToken(),
    )
    assert.ok((await good.getToken(scope)).token)
    const operator = identityNamed(vault, 'operator').clientId
    const bad = new ClientAssertionCredential(tenantId, operator, async () => serviceAccountToken())
    await assert.rejects(bad.getToken(scope), /AADSTS70021:/)
  })

  test('undici and fetch reach the vault by its name', async () => {
    const path = `${url}/keys?api-version=2025-07-01`
    const answer = await request(path)
    await answer.body.dump()
    assert.equal(answer.statusCode, 401)
    assert.equal((await fetch(path)).status, 401)
  })
})
