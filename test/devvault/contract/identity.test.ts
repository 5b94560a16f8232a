import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { ClientCertificateCredential, ManagedIdentityCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { at, stringAt } from '../here.ts'
import { devOnly, Target } from './target.ts'

/** Who a caller is: by managed identity and by certificate. The dev vault's own identities, so only there. */

const clientId = 'eeeeeeee-0000-0000-0000-000000000001'
const scope = 'https://vault.azure.net/.default'
const tokenPath = '/metadata/identity/oauth2/token'
const query = 'api-version=2018-02-01&resource=https://vault.azure.net'
const permissions = [{ actions: ['keys/read'] }]
let target: Target

before(async () => {
  target = await Target.start()
  if (target.isReal) return
  process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = target.dev.info.imdsUrl
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout']
  for (const name of ['app', 'stranger']) {
    target.openssl('req', '-x509', ...key, `${name}.key`, '-out', `${name}.crt`, '-subj', '/CN=a')
    target.write(
      `${name}.pem`,
      Buffer.concat([target.read(`${name}.key`), target.read(`${name}.crt`)]),
    )
  }
  const certificates = [readFileSync(target.path('app.crt'), 'utf8')]
  target.dev.control.putIdentity({ clientId, certificates, permissions })
})
after(() => target.stop())

async function imds(path: string, headers: Record<string, string> = { Metadata: 'true' }) {
  const response = await fetch(`${target.dev.info.imdsUrl}${path}`, { headers })
  const body: unknown = await response.json()
  return { status: response.status, body }
}

function managed(name: string, kind: 'system' | 'user') {
  const id = `ffffffff-0000-0000-0000-${name.padStart(12, '0')}`
  target.dev.control.putIdentity({ clientId: id, managed: kind, permissions })
  return id
}

async function reads(credential: ManagedIdentityCredential | ClientCertificateCredential) {
  const client = new KeyClient(target.url, credential)
  await assert.rejects(client.getKey('contract-none'), { code: 'KeyNotFound' })
}

test('a managed identity is given a token by the metadata endpoint', devOnly, async () => {
  const { identities } = target.dev.info
  const issuer = identities.find(({ name }) => name === 'akv-issuer')
  for (const path of [tokenPath, `${tokenPath}/`]) {
    const { status, body } = await imds(`${path}?${query}`)
    assert.equal(status, 200)
    assert.deepEqual(body, {
      access_token: stringAt(body, 'access_token'),
      client_id: issuer?.clientId,
      expires_in: '3599',
      expires_on: stringAt(body, 'expires_on'),
      ext_expires_in: '3599',
      not_before: stringAt(body, 'not_before'),
      resource: 'https://vault.azure.net',
      token_type: 'Bearer',
    })
  }
  await reads(new ManagedIdentityCredential({ clientId: issuer?.clientId ?? '' }))
})

test('the metadata endpoint says what is wrong with a request', devOnly, async () => {
  const cases: readonly (readonly [string, Record<string, string>, string])[] = [
    [query, {}, 'Required metadata header not specified'],
    [
      'api-version=2018-02-01',
      { Metadata: 'true' },
      "Required query variable 'resource' is missing",
    ],
    [`${query}&client_id=${'0'.repeat(8)}`, { Metadata: 'true' }, 'Identity not found'],
  ]
  for (const [search, headers, description] of cases) {
    const { status, body } = await imds(`${tokenPath}?${search}`, headers)
    assert.equal(status, 400)
    assert.deepEqual(body, { error: 'invalid_request', error_description: description })
  }
})

test(
  'of several identities one must be named, unless the machine has its own',
  devOnly,
  async () => {
    const user = managed('1', 'user')
    const several = await imds(`${tokenPath}?${query}`)
    assert.match(stringAt(several.body, 'error_description'), /^Multiple user assigned identities/)
    const system = managed('2', 'system')
    assert.equal(at((await imds(`${tokenPath}?${query}`)).body, 'client_id'), system)
    await reads(new ManagedIdentityCredential())
    await reads(new ManagedIdentityCredential({ clientId: user }))
  },
)

test('an app shows its certificate instead of a secret', devOnly, async () => {
  const { tenantId } = target.dev.info
  const certificatePath = target.path('app.pem')
  await reads(new ClientCertificateCredential(tenantId, clientId, certificatePath))
  const options = { sendCertificateChain: true }
  await reads(new ClientCertificateCredential(tenantId, clientId, { certificatePath }, options))
})

test('a certificate that is not registered is AADSTS700027', devOnly, async () => {
  const { tenantId } = target.dev.info
  const stranger = target.path('stranger.pem')
  const credential = new ClientCertificateCredential(tenantId, clientId, stranger)
  await assert.rejects(credential.getToken(scope), /AADSTS700027:.*The key was not found/)
  // With the right certificate's name but a key of one's own.
  const mixed = Buffer.concat([target.read('stranger.key'), target.read('app.crt')])
  const forged = new ClientCertificateCredential(tenantId, clientId, {
    certificate: mixed.toString('utf8'),
  })
  await assert.rejects(forged.getToken(scope), /AADSTS700027:.*verify the signature failed/)
})
