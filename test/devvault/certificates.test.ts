import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { hash, verify, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CertificateClient } from '@azure/keyvault-certificates'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
import { SecretClient } from '@azure/keyvault-secrets'
import type { DevVault } from '../../src/devvault/dev_vault.ts'
import { FakeClock } from '../fake_clock.ts'
import { credentialOf, type RawAnswer, raw, refusal, startHere, stringAt, tokenOf } from './here.ts'

const dir = mkdtempSync(join(tmpdir(), 'akv-devvault-certificates-'))
/** It stands still, ahead of the certificates that OpenSSL is about to make. */
const clock = new FakeClock(Date.now() + 600_000)
const now = Math.floor(clock.now() / 1000)
let vault: DevVault
let url: string
let keys: KeyClient
let certificates: CertificateClient
let secrets: SecretClient

before(async () => {
  vault = await startHere({ clock })
  url = `https://${vault.info.vaultHost}`
  const credential = credentialOf(vault)
  keys = new KeyClient(url, credential)
  certificates = new CertificateClient(url, credential)
  secrets = new SecretClient(url, credential)
})
after(async () => {
  await vault.stop()
  rmSync(dir, { recursive: true })
})

/** By REST, since the JS SDK sends no policy with an import. */
async function importPem(name: string, value: string): Promise<RawAnswer> {
  return await raw(vault, {
    method: 'POST',
    path: `/certificates/${name}/import?api-version=2025-07-01`,
    token: await tokenOf(vault),
    body: JSON.stringify({
      value,
      policy: { secret_props: { contentType: 'application/x-pem-file' } },
    }),
  })
}

/** OpenSSL makes what is imported, so that nothing of ours judges itself. */
function openssl(args: string): void {
  execFileSync('openssl', args.split(' '), { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
}
const read = (file: string) => readFileSync(join(dir, file), 'utf8')

before(() => {
  const ec = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  const usage = 'keyUsage=critical,keyCertSign,cRLSign'
  openssl(`req -x509 ${ec} -keyout root.key -out root.pem -days 30 -subj /CN=Root -addext ${usage}`)
  openssl(`req ${ec} -keyout ca.key -out ca.csr -subj /C=DE/ST=Berlin/O=Teamä/CN=Issuing -utf8`)
  writeFileSync(join(dir, 'ca.ext'), `basicConstraints=critical,CA:TRUE,pathlen:0\n${usage}\n`)
  openssl('x509 -req -in ca.csr -CA root.pem -CAkey root.key -days 20 -extfile ca.ext -out ca.pem')
})

function versionOf({ body }: RawAnswer): string {
  return stringAt(body, 'id').split('/').at(-1) ?? ''
}

test('import a CA with its chain; certificate, key and secret are one', async () => {
  const leaf = new X509Certificate(read('ca.pem'))
  // The leaf stands last: the service finds it by its key and moves it to the front.
  const pem = `${read('ca.key')}${read('root.pem')}${read('ca.pem')}`
  const imported = await importPem('issuing-ca', pem)
  const id = stringAt(imported.body, 'id')
  const version = id.split('/').at(-1) ?? ''
  const nbf = leaf.validFromDate.getTime() / 1000
  const exp = leaf.validToDate.getTime() / 1000
  const attributes = { enabled: true, created: now, updated: now }
  assert.deepEqual(imported, {
    ...imported,
    status: 200,
    body: {
      id: `${url}/certificates/issuing-ca/${version}`,
      kid: `${url}/keys/issuing-ca/${version}`,
      sid: `${url}/secrets/issuing-ca/${version}`,
      x5t: hash('sha1', leaf.raw, 'base64url'),
      cer: leaf.raw.toString('base64'),
      attributes: {
        ...attributes,
        nbf,
        exp,
        recoveryLevel: 'Recoverable+Purgeable',
        recoverableDays: 90,
      },
      policy: {
        id: `${url}/certificates/issuing-ca/policy`,
        key_props: { exportable: true, kty: 'EC', key_size: 256, reuse_key: false, crv: 'P-256' },
        secret_props: { contentType: 'application/x-pem-file' },
        x509_props: {
          subject: 'CN=Issuing, O=Teamä, S=Berlin, C=DE',
          ekus: [],
          key_usage: ['keyCertSign', 'cRLSign'],
          validity_months: 1,
          basic_constraints: { ca: true },
        },
        lifetime_actions: [
          { trigger: { lifetime_percentage: 80 }, action: { action_type: 'EmailContacts' } },
        ],
        issuer: { name: 'Unknown' },
        attributes,
      },
    },
  })

  const current = await certificates.getCertificate('issuing-ca')
  assert.equal(current.properties.id, id)
  assert.deepEqual(current.properties.expiresOn, leaf.validToDate)
  assert.deepEqual(current.policy?.keyUsage, ['keyCertSign', 'cRLSign'])
  assert.equal(current.policy?.issuerName, 'Unknown')
  const pinned = await certificates.getCertificateVersion('issuing-ca', version)
  assert.deepEqual(pinned.cer, current.cer)

  const key = await keys.getKey('issuing-ca', { version })
  assert.deepEqual(key.keyOperations, ['sign', 'verify'])
  assert.deepEqual(key.properties.expiresOn, leaf.validToDate)
  assert.equal(key.properties.managed, true)
  const { result } = await new CryptographyClient(key, credentialOf(vault)).sign(
    'ES256',
    hash('sha256', 'x', 'buffer'),
  )
  const options = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' } as const
  assert.equal(verify('sha256', Buffer.from('x'), options, result), true)

  const secret = await secrets.getSecret('issuing-ca', { version })
  assert.equal(secret.value, `${read('ca.key')}${read('ca.pem')}${read('root.pem')}`)
  assert.equal(secret.properties.contentType, 'application/x-pem-file')
  assert.equal(secret.properties.managed, true)
  assert.equal(secret.properties.certificateKeyId, current.keyId)
})

test('a second import is a new version; the first stays', async () => {
  const pem = `${read('ca.key')}${read('ca.pem')}`
  const first = versionOf(await importPem('twice', pem))
  const second = versionOf(await importPem('twice', pem))
  const disabled = await certificates.updateCertificateProperties('twice', second, {
    enabled: false,
  })
  assert.equal(disabled.properties.enabled, false)
  assert.equal((await certificates.getCertificate('twice')).properties.version, second)
  const versions: unknown[] = []
  for await (const one of certificates.listPropertiesOfCertificateVersions('twice')) {
    versions.push([one.id, one.enabled])
  }
  assert.equal(versions.length, 2)
  const previous = await secrets.getSecret('twice')
  assert.equal(previous.properties.previousVersion, first)
  const poller = await certificates.beginDeleteCertificate('twice', { intervalInMs: 10 })
  await poller.pollUntilDone()
  await assert.rejects(keys.getKey('twice'), { statusCode: 404 })
  await assert.rejects(secrets.getSecret('twice'), { statusCode: 404 })
})

test('refuse what does not fit', async () => {
  openssl('ec -in ca.key -out sec1.key')
  const pairs: readonly (readonly [string, string])[] = [
    ['root.key', 'ca.pem'],
    ['sec1.key', 'ca.pem'],
    ['ca.key', 'ca.csr'],
    ['ca.pem', 'root.pem'],
  ]
  for (const [key, certificate] of pairs) {
    const { status, body } = await importPem('refused', `${read(key)}${read(certificate)}`)
    assert.equal(status, 400, `${key} ${certificate}`)
    assert.equal(stringAt(body, 'error', 'code'), 'BadParameter')
  }
  clock.jump(21 * 86_400_000)
  const expired = await importPem('refused', `${read('ca.key')}${read('ca.pem')}`)
  clock.jump(-21 * 86_400_000)
  assert.equal(expired.status, 400)
  // The JS SDK 4.10.3 does not send the policy, without which the value is taken for a PFX.
  const bytes = Buffer.from(`${read('ca.key')}${read('ca.pem')}`)
  const policy = { contentType: 'application/x-pem-file' } as const
  await assert.rejects(
    certificates.importCertificate('refused', bytes, { policy }),
    refusal(400, 'BadParameter'),
  )
  await keys.createEcKey('taken')
  const taken = await importPem('taken', `${read('ca.key')}${read('ca.pem')}`)
  assert.equal(taken.status, 409)
  await (await keys.beginDeleteKey('taken', { intervalInMs: 10 })).pollUntilDone()
  const stillTaken = await importPem('taken', `${read('ca.key')}${read('ca.pem')}`)
  assert.equal(stillTaken.status, 409)
  await assert.rejects(certificates.getCertificate('taken'), refusal(404, 'CertificateNotFound'))
})

test('refuse an import while a creation is pending', async () => {
  const policy = { key_props: { kty: 'EC' }, x509_props: { subject: 'CN=a' } }
  await vault.control.manage('contoso', 'POST', 'certificates/busy/create', { policy })
  const { status, body } = await importPem('busy', `${read('ca.key')}${read('ca.pem')}`)
  assert.deepEqual([status, stringAt(body, 'error', 'code')], [409, 'Forbidden'])
})

test('set, list and disable secrets', async () => {
  const first = await secrets.setSecret('plain', 'one', {
    contentType: 'text/plain',
    tags: { a: 'b' },
  })
  const second = await secrets.setSecret('plain', 'two')
  assert.equal((await secrets.getSecret('plain')).value, 'two')
  const { version = '' } = first.properties
  assert.equal((await secrets.getSecret('plain', { version })).value, 'one')
  await secrets.updateSecretProperties('plain', second.properties.version ?? '', {
    enabled: false,
  })
  await assert.rejects(secrets.getSecret('plain'), refusal(403, 'Forbidden', 'SecretDisabled'))
})
