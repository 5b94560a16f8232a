import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { checkNextKeySecret, withKey } from '../../src/issuance/next_key_secret.ts'
import { makeCertificate } from './make_delivery.ts'

const certificate = makeCertificate()
const marked = { 'cert-manager.io/next-private-key': 'true' }
const owner = { kind: 'Certificate', name: certificate.name, uid: certificate.uid }
const owned = [{ ...owner, controller: true }]

const secretWith = (metadata: object) => ({
  metadata: { name: 'myapp-cert-x7f2k', resourceVersion: '9', uid: 's', ...metadata },
  type: 'Opaque',
  data: { 'tls.key': 'b2xk', other: 'eA==' },
})

test('the Secret that cert-manager marked is written to', () => {
  checkNextKeySecret(secretWith({ labels: marked, ownerReferences: owned }), certificate)
})

const foreign: ReadonlyArray<readonly [name: string, metadata: object]> = [
  ['of somebody else', {}],
  ['with the label alone', { labels: marked }],
  ['with the owner alone', { ownerReferences: owned }],
  [
    'whose label says no',
    { labels: { 'cert-manager.io/next-private-key': 'false' }, ownerReferences: owned },
  ],
  [
    'of an owner that does not control it',
    { labels: marked, ownerReferences: [{ ...owner, controller: false }] },
  ],
  [
    'of an earlier Certificate of the same name',
    { labels: marked, ownerReferences: [{ ...owner, uid: 'before', controller: true }] },
  ],
]
for (const [name, metadata] of foreign) {
  test(`a Secret ${name} is not written to`, () => {
    assert.throws(
      () => checkNextKeySecret(secretWith(metadata), certificate),
      new IssuerError(
        'RequestNotCurrent',
        'Secret "myapp-cert-x7f2k" is not marked by cert-manager as the next private key of ' +
          'Certificate "myapp-cert"; nothing is written to it',
      ),
    )
  })
}

test('nothing but the key changes, and the version that was read goes back with it', () => {
  const secret = secretWith({ labels: marked, ownerReferences: owned })
  assert.deepEqual(withKey(secret, 'new'), {
    ...secret,
    data: { 'tls.key': 'bmV3', other: 'eA==' },
  })
})
