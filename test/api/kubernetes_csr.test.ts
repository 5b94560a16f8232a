import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isClosed, parseKubernetesCsr } from '../../src/api/kubernetes_csr.ts'

const stored = {
  metadata: {
    uid: 'u',
    name: 'csr-workload-1',
    resourceVersion: '7',
    creationTimestamp: '2026-11-22T08:59:59Z',
  },
  spec: {
    request: Buffer.from('PEM').toString('base64'),
    signerName: 'clusterissuers.keyvault.akv-issuer.io/mesh',
    usages: ['server auth'],
    expirationSeconds: 3_600,
    username: 'somebody',
  },
  status: { conditions: [{ type: 'Approved', status: 'True', reason: 'r', message: 'm' }] },
}

test('a CertificateSigningRequest is read', () => {
  assert.deepEqual(parseKubernetesCsr(stored), {
    uid: 'u',
    name: 'csr-workload-1',
    resourceVersion: '7',
    creationTime: '2026-11-22T08:59:59Z',
    signerName: 'clusterissuers.keyvault.akv-issuer.io/mesh',
    csrPem: 'PEM',
    usages: ['server auth'],
    durationMs: 3_600_000,
    approved: {
      type: 'Approved',
      status: 'True',
      reason: 'r',
      message: 'm',
      lastTransitionTime: '',
    },
    denied: undefined,
    failed: undefined,
    hasCertificate: false,
  })
})

test('a condition that is not True says nothing', () => {
  const conditions = [{ type: 'Approved', status: 'False', reason: 'r', message: 'm' }]
  assert.equal(parseKubernetesCsr({ ...stored, status: { conditions } })?.approved, undefined)
})

test('one that Failed or has a certificate is closed', () => {
  const failed = [{ type: 'Failed', status: 'True', reason: 'r', message: 'm' }]
  const closed = [{}, { certificate: 'Q0VSVA==' }, { conditions: failed }].map((status) => {
    const csr = parseKubernetesCsr({ ...stored, status })
    return csr && isClosed(csr)
  })
  assert.deepEqual(closed, [false, true, true])
})

for (const part of ['metadata', 'spec']) {
  test(`without ${part} it is none`, () => {
    assert.equal(parseKubernetesCsr({ ...stored, [part]: undefined }), undefined)
  })
}
