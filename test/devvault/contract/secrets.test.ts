import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey, hash, verify, X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
import { KnownContentType, SecretClient } from '@azure/keyvault-secrets'
import { at, refusal, stringAt } from '../here.ts'
import { policyOf, Target } from './target.ts'

let target: Target
let client: SecretClient

before(async () => {
  target = await Target.start()
  client = new SecretClient(target.url, target.credential)
})
after(() => target.stop())

const pem = { secret_props: { contentType: 'application/x-pem-file' } }

async function made(what: string, more: object = {}): Promise<string> {
  const name = target.name('certificates', what)
  const policy = policyOf('Self', more)
  await target.call('POST', `/certificates/${name}/create`, { policy })
  await target.release(name)
  return name
}

async function leafOf(name: string): Promise<X509Certificate> {
  const { body } = await target.call('GET', `/certificates/${name}`)
  return new X509Certificate(Buffer.from(stringAt(body, 'cer'), 'base64'))
}

function blocksOf(text: string): readonly string[] {
  return text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n/g) ?? []
}

test('behind a certificate lies a PFX with the recorded algorithms and a blank password', async () => {
  const name = await made('pfx')
  const secret = await client.getSecret(name)
  assert.equal(secret.properties.contentType, 'application/x-pkcs12')
  target.write('secret.pfx', Buffer.from(secret.value ?? '', 'base64'))
  const args = ['pkcs12', '-in', 'secret.pfx', '-passin', 'pass:', '-nodes']
  const [key = '', certificate = '', ...rest] = blocksOf(target.openssl(...args))
  assert.equal(rest.length, 0)
  const leaf = await leafOf(name)
  assert.equal(leaf.checkPrivateKey(createPrivateKey(key)), true)
  assert.deepEqual(new X509Certificate(certificate).raw, leaf.raw)
  const info = spawnSync('openssl', [...args, '-info', '-noout'], {
    cwd: target.path('.'),
    encoding: 'utf8',
  }).stderr
  assert.match(info, /MAC: sha1, Iteration 2000\nMAC length: 20, salt length: 20/)
  assert.equal(info.match(/pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2000/g)?.length, 2)
})

test('a PEM has the key as PKCS#8 first, EC too, then the certificate', async () => {
  const name = await made('pem', pem)
  const { value = '', properties } = await client.getSecret(name)
  assert.equal(properties.contentType, 'application/x-pem-file')
  assert.equal(value.includes('\r'), false)
  const [key = '', certificate = '', ...rest] = blocksOf(value)
  assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/)
  assert.equal(rest.length, 0)
  const leaf = new X509Certificate(certificate)
  assert.equal(leaf.checkPrivateKey(createPrivateKey(key)), true)
})

test('a key that is not exportable stays behind', async () => {
  const key_props = { kty: 'EC', crv: 'P-256', exportable: false }
  const name = await made('closed', { key_props, ...pem })
  const { value = '' } = await client.getSecret(name)
  assert.deepEqual(blocksOf(value), [(await leafOf(name)).toString()])
  const pfx = await made('closed-pfx', { key_props })
  const secret = await client.getSecret(pfx)
  target.write('closed.pfx', Buffer.from(secret.value ?? '', 'base64'))
  const text = target.openssl('pkcs12', '-in', 'closed.pfx', '-passin', 'pass:', '-nodes')
  assert.deepEqual(blocksOf(text), [(await leafOf(pfx)).toString()])
})

test('the key of a certificate signs in the vault', async () => {
  const name = await made('signer')
  const key = await new KeyClient(target.url, target.credential).getKey(name)
  const { result } = await new CryptographyClient(key, target.credential).sign(
    'ES256',
    hash('sha256', 'x', 'buffer'),
  )
  const options = { key: (await leafOf(name)).publicKey, dsaEncoding: 'ieee-p1363' } as const
  assert.equal(verify('sha256', Buffer.from('x'), options, result), true)
})

test('previousVersion tells the version before, from API version 2025-07-01 on', async () => {
  const name = await made('previous')
  const first = await client.getSecret(name)
  assert.equal(first.properties.previousVersion, undefined)
  await target.call('POST', `/certificates/${name}/create`, { policy: policyOf('Self') })
  await target.release(name)
  const second = await client.getSecret(name)
  assert.equal(second.properties.previousVersion, first.properties.version)
  const older = await target.call('GET', `/secrets/${name}`, undefined, { version: '7.6' })
  assert.equal(at(older.body, 'previousVersion'), undefined)
})

test('outContentType refuses what is no PFX of a certificate', async () => {
  const name = target.name('secrets', 'plain')
  for (const contentType of ['text/plain', 'application/x-pkcs12']) {
    await client.setSecret(name, 'x', { contentType })
    const path = `/secrets/${name}?outContentType=application/x-pem-file`
    const { status, body } = await target.call('GET', path)
    assert.equal(status, 400)
    assert.deepEqual(body, {
      error: {
        code: 'BadParameter',
        message:
          "The 'Unsupported' to 'PEM' transformation is not supported. Only PFX to PEM transformation is supported.",
      },
    })
  }
})

test('outContentType makes a PEM of a PFX', async () => {
  const name = await made('converted')
  const secret = await client.getSecret(name, { outContentType: KnownContentType.PEM })
  const [key = '', certificate = ''] = blocksOf(secret.value ?? '')
  const leaf = await leafOf(name)
  assert.deepEqual(new X509Certificate(certificate).raw, leaf.raw)
  assert.equal(leaf.checkPrivateKey(createPrivateKey(key)), true)
})

test('a disabled secret can not be read', async () => {
  const name = target.name('secrets', 'disabled')
  await client.setSecret(name, 'x', { enabled: false })
  await assert.rejects(client.getSecret(name), refusal(403, 'Forbidden', 'SecretDisabled'))
})

test('a secret that is deleted comes back with its value', async () => {
  const name = target.name('secrets', 'recovered')
  await client.setSecret(name, 'x')
  const deletion = await client.beginDeleteSecret(name, target.poll)
  await deletion.pollUntilDone()
  const recovery = await client.beginRecoverDeletedSecret(name, target.poll)
  await recovery.pollUntilDone()
  assert.equal((await client.getSecret(name)).value, 'x')
})
