import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Certificate } from '../../src/api/certificate.ts'
import type { CertificateRequest } from '../../src/api/certificate_request.ts'
import { type DeliveryFacts, decideDelivery } from '../../src/issuance/decide_delivery.ts'
import type { Outcome } from '../../src/issuance/outcome.ts'
import type { DirectoryEntry } from '../../src/vault/certificate_directory.ts'
import { day, now } from '../pki/make_ca.ts'
import { dnsName, makeCsr, subjectAltName } from '../pki/make_csr.ts'
import { makeCertificate, makeDeliverer, makeVersion } from './make_delivery.ts'
import { makeCondition, makeRequest } from './make_request.ts'

const version = makeVersion()
const due = makeVersion({ notBefore: now - 70 * day, notAfter: now + 20 * day })
const withVaultsKey = { csrPem: makeCsr({ key: version.key }) }
const renewing = makeCondition('Issuing', 'Renewing')
const byUs = makeCondition('Issuing', 'KeyVaultRotated')
const byHand = makeCondition('Issuing', 'ManuallyTriggered')

const forOther = {
  names: { ...makeCertificate().names, dnsNames: ['other.example.com'] },
}

interface Given {
  readonly request?: Partial<CertificateRequest>
  /** `null`: none, or another by now. */
  readonly certificate?: Partial<Certificate> | null
  readonly present?: Uint8Array
  readonly entry?: Partial<DirectoryEntry> | null
  readonly deliverer?: ReturnType<typeof makeDeliverer>
}

function outcomeOf(given: Given): Outcome {
  const { certificate } = given
  const found =
    given.entry === null
      ? undefined
      : { name: 'myapp', current: version, trouble: undefined, ...given.entry }
  const delivery: DeliveryFacts = {
    certificate: certificate === null ? undefined : makeCertificate(certificate),
    present: given.present,
    entry: (name) => (name === 'myapp' ? found : undefined),
  }
  const request = makeRequest(given.request)
  const snapshot = { request, namespaceLabels: {}, delivery, now }
  return decideDelivery(snapshot, given.deliverer ?? makeDeliverer())
}

const actions: ReadonlyArray<readonly [name: string, given: Given, kind: Outcome['kind']]> = [
  ["a request with cert-manager's own key has it swapped", {}, 'swapKey'],
  ["a request with Key Vault's key is answered", { request: withVaultsKey }, 'deliver'],
  [
    'a Secret that holds something else is no obstacle',
    { request: withVaultsKey, present: due.certificate.der, certificate: { issuing: renewing } },
    'deliver',
  ],
  [
    'what the Secret has is given again while renewal is not due: somebody asked for it',
    {
      request: withVaultsKey,
      present: version.certificate.der,
      certificate: { issuing: byHand },
    },
    'deliver',
  ],
  [
    'what the Secret has is given again where cert-manager found the Secret wanting',
    {
      present: due.certificate.der,
      entry: { current: due },
      certificate: { issuing: makeCondition('Issuing', 'IncorrectIssuer') },
    },
    'swapKey',
  ],
  [
    'a certificate that is due is given to a Secret without a pair',
    { entry: { current: due }, certificate: { issuing: renewing } },
    'swapKey',
  ],
  [
    'a certificate that is chosen by annotation and was never read is read first',
    { entry: null, certificate: { chosen: 'myapp' } },
    'lookUp',
  ],
  [
    'a request without a Certificate that has the key is answered',
    { certificate: null, request: { ...withVaultsKey, certificate: undefined } },
    'deliver',
  ],
]
for (const [name, given, kind] of actions) {
  test(name, () => assert.equal(outcomeOf(given).kind, kind))
}

test('what is swapped or given is the version of the directory, for the Certificate that was read', () => {
  const swap = outcomeOf({})
  assert(swap.kind === 'swapKey')
  assert.equal(swap.version, version)
  assert.equal(swap.name, 'myapp')
  assert.equal(swap.certificate.nextKeySecret, 'myapp-cert-x7f2k')
})

const stale: ReadonlyArray<readonly [name: string, given: Given, words: RegExp]> = [
  [
    'whose Certificate names another issuer',
    {
      certificate: {
        issuerRef: { group: 'keyvault.akv-issuer.io', kind: 'ClusterIssuer', name: 'other' },
      },
    },
    /names another issuer/,
  ],
  [
    'whose Certificate is not being issued',
    { certificate: { issuing: makeCondition('Issuing', 'Issued', 'False') } },
    /is not being issued/,
  ],
  ['of an earlier revision', { certificate: { revision: 3 } }, /waits for revision 4/],
  [
    'whose annotation names a Secret that is not the next key',
    {
      request: { claims: { nextKeySecret: 'admin-token', revision: '1', chosen: undefined } },
    },
    /does not have the key of its next certificate in the Secret/,
  ],
  [
    'of a Certificate without a next key',
    { certificate: { nextKeySecret: undefined } },
    /does not have the key of its next certificate/,
  ],
  [
    'whose Certificate has its own Secret as next key',
    {
      certificate: { nextKeySecret: 'myapp-tls' },
      request: { claims: { nextKeySecret: 'myapp-tls', revision: '1', chosen: undefined } },
    },
    /names its own Secret/,
  ],
  [
    'for other names than its Certificate',
    { certificate: forOther },
    /^Certificate "myapp-cert" is for DNS names \[other\.example\.com\], and this request is not$/,
  ],
]
for (const [name, given, words] of stale) {
  test(`no key goes anywhere for a request ${name}`, () => {
    const outcome = outcomeOf(given)
    assert(outcome.kind === 'wait', JSON.stringify(outcome.kind))
    assert.equal(outcome.code, 'RequestNotCurrent')
    assert.match(outcome.message, words)
  })
}

test('what the Secret has is not given again while renewal is due; the wait says until when', () => {
  const pending: Given = { entry: { current: due }, present: due.certificate.der }
  for (const issuing of [renewing, byUs, byHand]) {
    for (const request of [{}, { csrPem: makeCsr({ key: due.key }) }]) {
      assert.deepEqual(outcomeOf({ ...pending, request, certificate: { issuing } }), {
        kind: 'wait',
        code: 'KeyVaultNotRotated',
        message:
          'renewal is due; waiting for Key Vault to rotate "myapp"; current version v1 expires ' +
          '2026-12-12T10:00:00Z',
        about: 'myapp',
      })
    }
  }
})

test('renewal by windows or percentages that we cannot see counts by what cert-manager says', () => {
  const outcome = outcomeOf({
    present: version.certificate.der,
    certificate: { issuing: renewing },
  })
  assert(outcome.kind === 'wait')
  assert.equal(outcome.code, 'KeyVaultNotRotated')
})

const refusals: ReadonlyArray<readonly [name: string, given: Given, code: string, words: RegExp]> =
  [
    [
      'a CA certificate',
      { request: { isCA: true } },
      'PolicyRefused',
      /isCA is asked for, and this issuer delivers no CA certificates/,
    ],
    [
      'names that no certificate has',
      {
        request: {
          csrPem: makeCsr({ extensions: [subjectAltName(dnsName('other.example.com'))] }),
        },
        certificate: forOther,
      },
      'CertificateNotOffered',
      /the nearest is "myapp": it is for DNS names \[myapp\.example\.com\], and DNS names \[other\.example\.com\] are asked for; to have it, put into the spec of the Certificate:\ndnsNames: \["myapp\.example\.com"\]\nprivateKey: \{algorithm: ECDSA, size: 256\}\n/,
    ],
    [
      'a key of another type',
      { certificate: { privateKey: { algorithm: 'RSA', size: 2048 } } },
      'CertificateNotOffered',
      /certificate "myapp" does not fit: its key is ECDSA P-256, and spec\.privateKey asks for RSA 2048/,
    ],
    [
      'usages that it lacks',
      {
        request: { usages: ['client auth'] },
        entry: { current: makeVersion({ purposes: ['1.3.6.1.5.5.7.3.1'] }) },
      },
      'CertificateNotOffered',
      /it is not good for usages \[client auth\]/,
    ],
    [
      'what the namespace may not have',
      {
        deliverer: makeDeliverer([
          { name: 'myapp', namespaces: { names: ['elsewhere'], matchLabels: {} } },
        ]),
      },
      'CertificateNotOffered',
      /^namespace "istio-system" may have no certificate from this issuer/,
    ],
    ['a CSR that is none', { request: { csrPem: 'x' } }, 'RequestInvalid', /PEM/],
  ]
for (const [name, given, code, words] of refusals) {
  test(`${name} is refused for good where cert-manager began it, and held where we or a person did`, () => {
    const failed = outcomeOf(given)
    assert(failed.kind === 'fail', failed.kind)
    assert.equal(failed.code, code)
    assert.match(failed.message, words)
    assert.match(failed.message, /change Certificate "myapp-cert", then renew it \(cmctl renew\)$/)
    for (const issuing of [byUs, byHand]) {
      const held = outcomeOf({ ...given, certificate: { ...given.certificate, issuing } })
      assert.deepEqual(held, { kind: 'wait', code, message: failed.message })
    }
  })
}

test('a request whose key was swapped is never failed', () => {
  const csrPem = makeCsr({
    key: version.key,
    extensions: [subjectAltName(dnsName('other.example.com'))],
  })
  const outcome = outcomeOf({ request: { csrPem }, certificate: forOther })
  assert(outcome.kind === 'wait')
  assert.equal(outcome.code, 'CertificateNotOffered')
})

test('no trouble in Key Vault fails a request', () => {
  const trouble = { code: 'CertificateInvalid', message: 'version v2 is disabled' } as const
  assert.deepEqual(outcomeOf({ entry: { current: undefined, trouble } }), {
    kind: 'wait',
    code: 'CertificateInvalid',
    message: 'version v2 is disabled',
  })
  const expired = makeVersion({ notBefore: now - 60 * day, notAfter: now - 1 })
  const outcome = outcomeOf({ entry: { current: expired } })
  assert(outcome.kind === 'wait')
  assert.equal(outcome.code, 'CertificateExpired')
})

test('without a Certificate no key is handed out', () => {
  for (const given of [
    { certificate: null },
    { certificate: null, request: { certificate: undefined } },
    {
      certificate: null,
      request: { claims: { nextKeySecret: 'x', revision: '1', chosen: 'myapp' } },
    },
  ] satisfies Given[]) {
    const outcome = outcomeOf(given)
    assert(outcome.kind === 'fail', outcome.kind)
    assert.match(outcome.message, /^no Certificate is behind this request/)
  }
})

test('without a Certificate the name of a certificate for others stays unknown', () => {
  const deliverer = makeDeliverer([
    { name: 'myapp', namespaces: { names: ['elsewhere'], matchLabels: {} } },
  ])
  const request = { ...withVaultsKey, certificate: undefined }
  const outcome = outcomeOf({ certificate: null, request, deliverer })
  assert(outcome.kind === 'fail')
  assert.doesNotMatch(outcome.message, /myapp/)
})

test('a duration is ignored, and that is said', () => {
  const outcome = outcomeOf({ request: { ...withVaultsKey, durationMs: 90 * day } })
  assert(outcome.kind === 'deliver')
  assert.deepEqual(outcome.notes, [
    'spec.duration 90d is ignored: the policy of the Key Vault certificate says how long it lasts',
  ])
})
