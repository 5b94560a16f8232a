import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificateRequest, rootsDigest } from '../../src/api/certificate_request.ts'

const stored = {
  apiVersion: 'cert-manager.io/v1',
  kind: 'CertificateRequest',
  metadata: {
    uid: 'u',
    namespace: 'istio-system',
    name: 'myapp-cert-1',
    resourceVersion: '7',
    creationTimestamp: '2026-11-22T08:59:59Z',
    managedFields: [{ manager: 'x' }],
    annotations: {
      'cert-manager.io/certificate-revision': '1',
      'cert-manager.io/private-key-secret-name': 'myapp-cert-x7f2k',
      'keyvault.akv-issuer.io/certificate': 'myapp',
    },
    ownerReferences: [
      { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'p' },
      {
        apiVersion: 'cert-manager.io/v1',
        kind: 'Certificate',
        name: 'myapp-cert',
        uid: 'c',
        controller: true,
      },
    ],
  },
  spec: {
    request: Buffer.from('the CSR').toString('base64'),
    issuerRef: { name: 'akv-issuer', kind: 'ClusterIssuer' },
    duration: '2160h0m0s',
    usages: ['digital signature'],
  },
  status: {
    conditions: [
      {
        type: 'Approved',
        status: 'True',
        reason: 'cert-manager.io',
        message: 'm',
        lastTransitionTime: '2026-11-22T09:00:00Z',
      },
      { type: 'Denied', status: 'False', reason: 'r', message: 'm' },
    ],
  },
}

test('a stored request is read, and only what decisions rest on is kept', () => {
  assert.deepEqual(parseCertificateRequest(stored), {
    uid: 'u',
    namespace: 'istio-system',
    name: 'myapp-cert-1',
    resourceVersion: '7',
    creationTime: '2026-11-22T08:59:59Z',
    issuerRef: { group: '', kind: 'ClusterIssuer', name: 'akv-issuer' },
    csrPem: 'the CSR',
    isCA: false,
    usages: ['digital signature'],
    durationMs: 90 * 86_400_000,
    certificate: { name: 'myapp-cert', uid: 'c' },
    claims: { nextKeySecret: 'myapp-cert-x7f2k', revision: '1', chosen: 'myapp' },
    approved: {
      type: 'Approved',
      status: 'True',
      reason: 'cert-manager.io',
      message: 'm',
      lastTransitionTime: '2026-11-22T09:00:00Z',
    },
    denied: undefined,
    invalid: undefined,
    ready: undefined,
    hasCertificate: false,
    roots: undefined,
  })
})

test('of the roots that were handed out, digest and count are kept', () => {
  const pem = `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`.repeat(2)
  const status = { ...stored.status, ca: Buffer.from(pem).toString('base64') }
  const roots = { digest: rootsDigest(pem), count: 2 }
  assert.deepEqual(parseCertificateRequest({ ...stored, status })?.roots, roots)
  assert.notEqual(rootsDigest(pem), rootsDigest(`${pem}\n`))
})

test('a kind left out is Issuer, as cert-manager defaults it', () => {
  const spec = { ...stored.spec, issuerRef: { name: 'x', group: 'keyvault.akv-issuer.io' } }
  assert.deepEqual(parseCertificateRequest({ ...stored, spec })?.issuerRef, {
    group: 'keyvault.akv-issuer.io',
    kind: 'Issuer',
    name: 'x',
  })
})

test('what is no request reads as none', () => {
  const { request: _, ...spec } = stored.spec
  for (const object of [undefined, null, 7, 'text', [], {}, { ...stored, spec }]) {
    assert.equal(parseCertificateRequest(object), undefined)
  }
})
