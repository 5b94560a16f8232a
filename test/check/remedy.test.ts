import assert from 'node:assert/strict'
import { test } from 'node:test'
import { remedies } from '../../src/check/remedy.ts'
import { retryClassByCode } from '../../src/error.ts'

/** Of requests, of files of commands, and of this process: no issuer is not Ready for them. */
const ofNoIssuer = new Set([
  'RequestInvalid',
  'PolicyRefused',
  'IssuerNotReady',
  'CertificateNotOffered',
  'KeyVaultNotRotated',
  'RequestNotCurrent',
  'KubeNotFound',
  'FileRefused',
])

test('whatever somebody has to change for an issuer has a remedy', () => {
  const missing = Object.entries(retryClassByCode)
    .filter(([code, retry]) => retry === 'change' && !ofNoIssuer.has(code))
    .filter(([code]) => !remedies.has(code))
  assert.deepEqual(missing, [])
})

test('a remedy is for a code that there is', () => {
  const ofTheCluster = new Set([
    'CrdMissing',
    'CrdOutdated',
    'LeaseNotFound',
    'LeaseNotHeld',
    'ApproverMissing',
    'NotProbed',
  ])
  const unknown = [...remedies.keys()].filter((key) => {
    const [code = ''] = key.split('/')
    return !Object.hasOwn(retryClassByCode, code) && !ofTheCluster.has(code)
  })
  assert.deepEqual(unknown, [])
})
