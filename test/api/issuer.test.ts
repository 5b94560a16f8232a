import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allows } from '../../src/api/delivery.ts'
import { parseIssuer } from '../../src/api/issuer.ts'
import { IssuerError } from '../../src/error.ts'

const vaultUrl = 'https://contoso.vault.azure.net'
const ca = { certificate: { keyVaultCertificate: { name: 'ca', version: '0'.repeat(32) } } }

function specOf(spec: object) {
  const metadata = { uid: 'u', name: 'x', resourceVersion: '1', generation: 1 }
  const issuer = parseIssuer('ClusterIssuer', { metadata, spec })
  assert(issuer !== undefined)
  return issuer.spec
}

test('an issuer that delivers has its list and no CA', () => {
  const namespaces = { names: ['apps'], matchLabels: { team: 'a' } }
  const spec = specOf({
    vaultUrl,
    certificates: [
      { name: 'myapp', namespaces },
      { name: 'web-*', namespaces: { all: true } },
    ],
  })
  assert(!(spec instanceof IssuerError))
  assert.deepEqual(spec.mode, {
    type: 'deliver',
    certificates: [
      { name: 'myapp', namespaces },
      { name: 'web-*', namespaces: { all: true } },
    ],
  })
})

test('the CA that is to follow is read like the present one', () => {
  const key = { name: 'next', version: '1'.repeat(32) }
  const next = { key, certificate: { pem: 'PEM' }, ocspServers: ['http://ocsp'], activate: true }
  const spec = specOf({ vaultUrl, ca: { ...ca, next } })
  assert(!(spec instanceof IssuerError) && spec.mode.type === 'sign')
  assert.deepEqual(spec.mode.next, {
    key,
    certificate: { type: 'pem', pem: 'PEM' },
    chain: undefined,
    signatureAlgorithm: undefined,
    crlDistributionPoints: [],
    ocspServers: ['http://ocsp'],
    issuingCertificateUrls: [],
    activate: true,
  })
  const keyless = specOf({ vaultUrl, ca: { ...ca, next: { certificate: { pem: 'PEM' } } } })
  assert(keyless instanceof IssuerError)
  assert.match(keyless.message, /^spec\.ca\.next\.key with name and version is missing/)
})

test('an issuer with both, or neither, of CA and certificates is refused', () => {
  const certificates = [{ name: 'myapp', namespaces: { all: true } }]
  for (const spec of [{ vaultUrl }, { vaultUrl, ca, certificates }]) {
    const refusal = specOf(spec)
    assert(refusal instanceof IssuerError)
    assert.match(refusal.message, /exactly one of spec\.ca and spec\.certificates/)
  }
  assert.ok(!(specOf({ vaultUrl, ca }) instanceof IssuerError))
})

test('an entry allows its name in any case; with * all that begins with it', () => {
  const namespaces = undefined
  assert.equal(allows({ name: 'myapp', namespaces }, 'MyApp'), true)
  assert.equal(allows({ name: 'myapp', namespaces }, 'myapp2'), false)
  assert.equal(allows({ name: 'web-*', namespaces }, 'web-shop'), true)
  assert.equal(allows({ name: 'web-*', namespaces }, 'webshop'), false)
  assert.equal(allows({ name: '*', namespaces }, 'anything'), true)
})

test('who an issuer is, as its spec says it', () => {
  const application = { tenantId: 't', clientId: 'c' }
  for (const [identity, expected] of [
    [undefined, { type: 'workload', clientId: undefined, tenantId: undefined }],
    [{ workload: { clientId: 'c' } }, { type: 'workload', clientId: 'c', tenantId: undefined }],
    [
      { workload: { tenantId: 't', serviceAccountRef: { name: 'team-a' } } },
      { type: 'serviceAccount', name: 'team-a', clientId: undefined, tenantId: 't' },
    ],
    // Not the controller's own by mistake.
    [{ workload: { serviceAccountRef: {} } }, undefined],
    [{ managed: {} }, { type: 'managed', clientId: undefined }],
    [{ managed: { clientId: 'c' } }, { type: 'managed', clientId: 'c' }],
    [
      { clientSecret: { ...application, secretRef: { name: 'entra', key: 'secret' } } },
      { type: 'clientSecret', ...application, secretRef: { name: 'entra', key: 'secret' } },
    ],
    [
      { clientCertificate: { ...application, secretRef: { name: 'entra' } } },
      { type: 'clientCertificate', ...application, secretName: 'entra' },
    ],
    [{ clientCertificate: { ...application } }, undefined],
    [{ clientSecret: { ...application, secretRef: { name: 'entra' } } }, undefined],
    [{}, undefined],
  ] as const) {
    const spec = specOf({ vaultUrl, ca, ...(identity && { identity }) })
    assert(!(spec instanceof IssuerError))
    assert.deepEqual(spec.identity, expected, JSON.stringify(identity))
  }
})
