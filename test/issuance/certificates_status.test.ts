import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificatesStatus, certificatesUsable } from '../../src/issuance/certificates_status.ts'
import type { DirectoryEntry } from '../../src/vault/certificate_directory.ts'
import { makeVersion } from './make_delivery.ts'

const good: DirectoryEntry = { name: 'good', current: makeVersion(), trouble: undefined }
const disabled: DirectoryEntry = {
  name: 'old',
  current: makeVersion(),
  trouble: { code: 'CertificateInvalid', message: 'version v2 of certificate "old" is disabled' },
}
const missing: DirectoryEntry = {
  name: 'none',
  current: undefined,
  trouble: { code: 'VaultNotFound', message: 'no certificate "none"' },
}

test('each certificate shows what is given, until when, and why it is not the latest', () => {
  const notAfter = '2027-01-21T10:00:00Z'
  assert.deepEqual(certificatesStatus([good, disabled, missing]), [
    { name: 'good', version: 'v1', notAfter },
    {
      name: 'old',
      version: 'v1',
      notAfter,
      reason: 'version v2 of certificate "old" is disabled',
    },
    { name: 'none', reason: 'no certificate "none"' },
  ])
})

test('a status has at most 100 certificates, whose reasons have at most 1,024 characters', () => {
  const long = {
    ...missing,
    trouble: { code: 'VaultNotFound', message: 'x'.repeat(2_000) } as const,
  }
  const shown = certificatesStatus(Array.from({ length: 150 }, () => long))
  assert.deepEqual([shown.length, shown[0]?.reason?.length], [100, 1_024])
})

test('the condition is True while all is delivered in its latest version', () => {
  assert.deepEqual(certificatesUsable([good], []), {
    type: 'CertificatesUsable',
    status: 'True',
    reason: 'Usable',
    message: 'every certificate is delivered in its latest version',
  })
})

test('else it names what is wrong, five at most, and whether Key Vault or a user has to act', () => {
  assert.deepEqual(certificatesUsable([good, disabled], ['Certificate apps/a: its key is RSA']), {
    type: 'CertificatesUsable',
    status: 'False',
    reason: 'NotUsable',
    message: 'version v2 of certificate "old" is disabled; Certificate apps/a: its key is RSA',
  })
  const behind = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  assert.deepEqual(certificatesUsable([good], behind), {
    type: 'CertificatesUsable',
    status: 'False',
    reason: 'VersionDoesNotFit',
    message: 'a; b; c; d; e; and 2 more',
  })
})
