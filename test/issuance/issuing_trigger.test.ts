import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withIssuing } from '../../src/issuance/issuing_trigger.ts'
import { now } from '../pki/make_ca.ts'
import { makeCertificate } from './make_delivery.ts'

test('the condition is what cmctl renew writes, with our reason; all else stays as it was', () => {
  const ready = { type: 'Ready', status: 'True', reason: 'Ready', observedGeneration: 2 }
  const before = { type: 'Issuing', status: 'False', reason: 'Failed' }
  const object = {
    apiVersion: 'cert-manager.io/v1',
    metadata: { name: 'myapp-cert', resourceVersion: '7', uid: 'c' },
    spec: { secretName: 'myapp-tls' },
    status: { revision: 3, conditions: [before, ready] },
  }
  const live = makeCertificate({ generation: 2 })
  const why = { reason: 'KeyVaultRotated', message: 'Key Vault has version v2' }
  assert.deepEqual(withIssuing(object, live, why, now), {
    ...object,
    status: {
      revision: 3,
      conditions: [
        ready,
        {
          type: 'Issuing',
          status: 'True',
          reason: 'KeyVaultRotated',
          message: 'Key Vault has version v2',
          lastTransitionTime: new Date(now).toISOString().replace('.000Z', 'Z'),
          observedGeneration: 2,
        },
      ],
    },
  })
})
