import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claimOf } from '../../src/issuance/claim.ts'
import { decide, type Snapshot } from '../../src/issuance/decide.ts'
import type { IssuerState } from '../../src/issuance/issuer_state.ts'
import type { IgnoreReason, Outcome } from '../../src/issuance/outcome.ts'
import { day, makeCa, now } from '../pki/make_ca.ts'
import { makeCondition, makeRequest } from './make_request.ts'
import { makeSigner } from './make_signer.ts'

const ca = makeCa()
const signer = makeSigner(ca)
const ready: IssuerState = { kind: 'ready', mode: 'sign', signer, next: undefined }
const ungrouped = { group: '', kind: 'ClusterIssuer', name: 'akv-issuer' }

interface Given {
  readonly request?: Parameters<typeof makeRequest>[0]
  readonly issuer?: IssuerState | undefined
  readonly answersUngrouped?: boolean
  readonly now?: number
  readonly labels?: Readonly<Record<string, string>>
}

function outcomeOf(given: Given): Outcome {
  const request = makeRequest(given.request)
  const claim = claimOf(request)
  assert(claim !== undefined, `no claim on ${JSON.stringify(request.issuerRef)}`)
  const snapshot: Snapshot = {
    request,
    claim,
    issuer: 'issuer' in given ? given.issuer : ready,
    answersUngrouped: given.answersUngrouped ?? false,
    namespaceLabels: given.labels ?? {},
    delivery: undefined,
    now: given.now ?? now,
    serialBytes: new Uint8Array(16).fill(0x11),
  }
  return decide(snapshot)
}

const quiet: ReadonlyArray<readonly [name: string, given: Given, why: IgnoreReason]> = [
  ['not approved', { request: { approved: undefined } }, 'NotApproved'],
  [
    'declared invalid',
    { request: { invalid: makeCondition('InvalidRequest', 'x') } },
    'DeclaredInvalid',
  ],
  ['issued already', { request: { ready: makeCondition('Ready', 'Issued') } }, 'Answered'],
  ['failed already', { request: { ready: makeCondition('Ready', 'Failed', 'False') } }, 'Answered'],
  [
    'denied and answered',
    { request: { ready: makeCondition('Ready', 'Denied', 'False') } },
    'Answered',
  ],
  ['holding a certificate without Ready', { request: { hasCertificate: true } }, 'Answered'],
  ['of an issuer not looked at yet', { issuer: { kind: 'unknown' } }, 'IssuerNotProbed'],
  [
    'without our group, and its issuer does not answer those',
    { request: { issuerRef: ungrouped } },
    'NotOurs',
  ],
  [
    'denied, without our group: cert-manager answers it',
    {
      request: { issuerRef: ungrouped, denied: makeCondition('Denied', 'x') },
      answersUngrouped: true,
    },
    'Denied',
  ],
]

for (const [name, given, why] of quiet) {
  test(`nothing is done or written for a request ${name}`, () => {
    assert.deepEqual(outcomeOf(given), { kind: 'ignore', why })
  })
}

const other: ReadonlyArray<readonly [name: string, given: Given, outcome: Outcome]> = [
  [
    'a denied request is answered Denied, approved or not',
    { request: { denied: makeCondition('Denied', 'x'), approved: undefined } },
    { kind: 'deny', message: 'denied by an approver: Denied by a test' },
  ],
  [
    'a request waits for an issuer that does not exist',
    { issuer: undefined },
    {
      kind: 'wait',
      code: 'IssuerNotFound',
      message: 'ClusterIssuer "akv-issuer" not found; waiting for it to be created',
    },
  ],
  [
    'an issuer that is suspended holds up everything',
    { issuer: { kind: 'suspended' } },
    {
      kind: 'wait',
      code: 'IssuerSuspended',
      message: 'ClusterIssuer "akv-issuer" is suspended (spec.suspend)',
    },
  ],
  [
    'an issuer that is not ready passes its reason on',
    { issuer: { kind: 'not-ready', code: 'VaultForbidden', message: 'grant it' } },
    {
      kind: 'wait',
      code: 'IssuerNotReady',
      message: 'ClusterIssuer "akv-issuer" is not ready: grant it',
    },
  ],
]

for (const [name, given, outcome] of other) {
  test(name, () => assert.deepEqual(outcomeOf(given), outcome))
}

test('an approved request of a ready issuer is signed, with Pending on it or not', () => {
  for (const readyCondition of [undefined, makeCondition('Ready', 'Pending', 'False')]) {
    const outcome = outcomeOf({ request: { ready: readyCondition } })
    assert.equal(outcome.kind, 'sign')
    assert(outcome.kind === 'sign')
    assert.equal(outcome.signer, signer)
    assert.equal(outcome.decision.notAfter - outcome.decision.notBefore, 90 * day)
  }
})

test('a reference without our group is signed while the issuer answers those', () => {
  for (const group of ['', 'cert-manager.io']) {
    const request = { issuerRef: { ...ungrouped, group } }
    assert.equal(outcomeOf({ request, answersUngrouped: true }).kind, 'sign')
  }
})

test('what only another request can mend fails, and says how to go on', () => {
  for (const [request, code, words] of [
    [{ csrPem: 'no PEM' }, 'RequestInvalid', /PEM/],
    [{ isCA: true }, 'PolicyRefused', /isCA/],
    [{ usages: ['cert sign'] }, 'PolicyRefused', /cert sign/],
    [{ durationMs: 1_000 }, 'PolicyRefused', /duration/],
  ] as const) {
    const outcome = outcomeOf({ request })
    assert(outcome.kind === 'fail', JSON.stringify(outcome))
    assert.equal(outcome.code, code)
    assert.match(outcome.message, words)
    assert.match(
      outcome.message,
      /; change Certificate "myapp-cert", then renew it \(cmctl renew\)$/,
    )
  }
  const outcome = outcomeOf({ request: { isCA: true, certificate: undefined } })
  assert(outcome.kind === 'fail', JSON.stringify(outcome))
  assert.match(outcome.message, /; make a new CertificateRequest$/)
})

test('a CA about to expire makes requests wait: they are right, and the CA is not', () => {
  const old = makeCa({ notAfter: now + 60_000 })
  const outcome = outcomeOf({
    issuer: { kind: 'ready', mode: 'sign', signer: makeSigner(old), next: undefined },
  })
  assert(outcome.kind === 'wait', JSON.stringify(outcome))
  assert.equal(outcome.code, 'IssuerNotReady')
})

test('a reference is claimed by group, kind and name', () => {
  const claim = (group: string, kind: string) =>
    claimOf({ namespace: 'apps', issuerRef: { group, kind, name: 'ca' } })
  assert.deepEqual(claim('keyvault.akv-issuer.io', 'ClusterIssuer'), {
    issuer: 'ClusterIssuer/ca',
    form: 'grouped',
  })
  assert.deepEqual(claim('keyvault.akv-issuer.io', 'Issuer'), {
    issuer: 'Issuer/apps/ca',
    form: 'grouped',
  })
  assert.deepEqual(claim('', 'ClusterIssuer'), { issuer: 'ClusterIssuer/ca', form: 'ungrouped' })
  for (const [group, kind] of [
    ['', 'Issuer'],
    ['cert-manager.io', 'Issuer'],
    ['example.com', 'ClusterIssuer'],
    ['keyvault.akv-issuer.io', 'Other'],
  ] as const) {
    assert.equal(claim(group, kind), undefined, `${group} ${kind}`)
  }
})
