import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isIssuing, parseCertificate } from '../../src/api/certificate.ts'

const metadata = { uid: 'u', namespace: 'apps', name: 'myapp', resourceVersion: '7', generation: 2 }
const spec = {
  secretName: 'myapp-tls',
  dnsNames: ['myapp.example.com'],
  issuerRef: { name: 'akv-issuer', kind: 'ClusterIssuer' },
}

test('a stored Certificate is read, and only what deliveries rest on is kept', () => {
  const certificate = parseCertificate({
    metadata: { ...metadata, annotations: { 'keyvault.akv-issuer.io/certificate': 'my-cert' } },
    spec: {
      ...spec,
      commonName: 'My App',
      ipAddresses: ['10.0.0.1'],
      uris: ['spiffe://a/b'],
      emailAddresses: ['a@example.com'],
      privateKey: { algorithm: 'ECDSA', size: 384, rotationPolicy: 'Never' },
      renewBefore: '24h',
      renewal: { policy: 'Disabled' },
    },
    status: {
      revision: 3,
      nextPrivateKeySecretName: 'myapp-x7f2k',
      lastFailureTime: '2026-11-22T09:00:00Z',
      conditions: [{ type: 'Issuing', status: 'True', reason: 'Renewing', message: 'm' }],
    },
  })
  assert.deepEqual(certificate, {
    ...metadata,
    issuerRef: { group: '', kind: 'ClusterIssuer', name: 'akv-issuer' },
    secretName: 'myapp-tls',
    privateKey: { algorithm: 'ECDSA', size: 384 },
    isCA: false,
    names: {
      commonName: 'My App',
      literalSubject: undefined,
      dnsNames: ['myapp.example.com'],
      ipAddresses: ['10.0.0.1'],
      uris: ['spiffe://a/b'],
      emailAddresses: ['a@example.com'],
    },
    renewal: { disabled: true, renewBeforeMs: 86_400_000, renewBeforePercentage: undefined },
    chosen: 'my-cert',
    revision: 3,
    nextKeySecret: 'myapp-x7f2k',
    issuing: {
      type: 'Issuing',
      status: 'True',
      reason: 'Renewing',
      message: 'm',
      lastTransitionTime: '',
    },
    ready: undefined,
    lastFailureTime: '2026-11-22T09:00:00Z',
  })
  assert.equal(isIssuing(certificate), true)
})

test("a key that is not said is cert-manager's default", () => {
  const keyOf = (privateKey: unknown) =>
    parseCertificate({ metadata, spec: { ...spec, privateKey } })?.privateKey
  assert.deepEqual(keyOf(undefined), { algorithm: 'RSA', size: 2048 })
  assert.deepEqual(keyOf({ size: 4096 }), { algorithm: 'RSA', size: 4096 })
  assert.deepEqual(keyOf({ algorithm: 'ECDSA', size: 0 }), { algorithm: 'ECDSA', size: 256 })
  assert.deepEqual(keyOf({ algorithm: 'Ed25519' }), { algorithm: 'Ed25519', size: 0 })
})

test('what is no Certificate reads as none', () => {
  const { issuerRef: _, ...without } = spec
  for (const object of [undefined, 7, {}, { metadata }, { metadata, spec: without }]) {
    assert.equal(parseCertificate(object), undefined)
  }
})
