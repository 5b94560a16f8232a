import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPolicy } from '../../src/api/policy.ts'
import { type CsrOutcome, decideCsr } from '../../src/issuance/decide_csr.ts'
import type { IssuerState, Signer } from '../../src/issuance/issuer_state.ts'
import type { IgnoreReason } from '../../src/issuance/outcome.ts'
import {
  type KubernetesCsrText,
  parseKubernetesCsrPolicy,
} from '../../src/pki/kubernetes_csr_policy.ts'
import { isEmptyName } from '../../src/pki/names.ts'
import { day, makeCa, now } from '../pki/make_ca.ts'
import { makeCsr } from '../pki/make_csr.ts'
import { accepted } from '../pki/outcomes.ts'
import { makeKubernetesCsr } from './make_kubernetes_csr.ts'
import { makeCondition } from './make_request.ts'
import { makeSigner } from './make_signer.ts'

const hour = 3_600_000
const ca = makeCa()

function signerWith(text: KubernetesCsrText | undefined): Signer {
  const kubernetesCsr = text && accepted(parseKubernetesCsrPolicy(text, readPolicy(undefined)))
  return makeSigner(ca, [], { kubernetesCsr })
}

const open: KubernetesCsrText = { uris: ['spiffe://cluster.local/*'], maxDurationMs: 24 * hour }

interface Given {
  readonly request?: Parameters<typeof makeKubernetesCsr>[0]
  readonly issuer?: IssuerState | undefined
  readonly missingRights?: string
  readonly now?: number
}

function readyState(text: KubernetesCsrText | undefined): IssuerState {
  return { kind: 'ready', mode: 'sign', signer: signerWith(text), next: undefined }
}

function outcomeOf(given: Given): CsrOutcome {
  return decideCsr({
    request: makeKubernetesCsr(given.request),
    issuerKey: 'ClusterIssuer/mesh',
    issuer: 'issuer' in given ? given.issuer : readyState(open),
    missingRights: given.missingRights,
    now: given.now ?? now,
    serialBytes: new Uint8Array(16).fill(0x11),
  })
}

const quiet: ReadonlyArray<readonly [name: string, given: Given, why: IgnoreReason]> = [
  ['not approved', { request: { approved: undefined } }, 'NotApproved'],
  ['denied', { request: { approved: undefined, denied: makeCondition('Denied', 'x') } }, 'Denied'],
  ['failed already', { request: { failed: makeCondition('Failed', 'x') } }, 'Answered'],
  ['holding a certificate', { request: { hasCertificate: true } }, 'Answered'],
  ['of an issuer not looked at yet', { issuer: { kind: 'unknown' } }, 'IssuerNotProbed'],
  ['of an issuer that has kubernetesCSR off', { issuer: readyState(undefined) }, 'NotOurs'],
]

for (const [name, given, why] of quiet) {
  test(`nothing is done for a request ${name}`, () => {
    assert.deepEqual(outcomeOf(given), { kind: 'ignore', why })
  })
}

const waits: ReadonlyArray<readonly [name: string, given: Given, code: string, message: string]> = [
  [
    'for an issuer that does not exist',
    { issuer: undefined },
    'IssuerNotFound',
    'ClusterIssuer "mesh" not found; waiting for it to be created',
  ],
  [
    'for one that is suspended',
    { issuer: { kind: 'suspended' } },
    'IssuerSuspended',
    'ClusterIssuer "mesh" is suspended (spec.suspend)',
  ],
  [
    'for one that is not ready',
    { issuer: { kind: 'not-ready', code: 'VaultForbidden', message: 'grant it' } },
    'IssuerNotReady',
    'ClusterIssuer "mesh" is not ready: grant it',
  ],
  ['for the rights', { missingRights: 'may not sign' }, 'KubeForbidden', 'may not sign'],
]

for (const [name, given, code, message] of waits) {
  test(`a request waits ${name}`, () => {
    assert.deepEqual(outcomeOf(given), { kind: 'wait', code, message })
  })
}

test('a request waits, and does not fail, for a CA that ends too soon', () => {
  const { notAfter } = ca.certificate
  const outcome = outcomeOf({ now: notAfter - 60_000 })
  assert.equal(outcome.kind, 'wait', JSON.stringify(outcome))
})

test('a workload of Istio gets its identity, without a subject, with a critical name', () => {
  const outcome = outcomeOf({})
  assert(outcome.kind === 'sign', JSON.stringify(outcome))
  const { subject, subjectAltName, basicConstraints, nameConstraints } = outcome.decision
  assert.deepEqual(
    [isEmptyName(subject), subjectAltName?.critical, basicConstraints.ca, nameConstraints],
    [true, true, false, undefined],
  )
})

const lifetimes: ReadonlyArray<readonly [asked: number | undefined, given: number]> = [
  [undefined, 24 * hour],
  [10 * 365 * day, 24 * hour],
  [24 * hour, 24 * hour],
  [hour, hour],
]
for (const [asked, given] of lifetimes) {
  test(`${asked === undefined ? 'no lifetime' : `${asked / hour} h`} asked for gives ${given / hour} h`, () => {
    const outcome = outcomeOf({ request: { durationMs: asked } })
    assert(outcome.kind === 'sign', JSON.stringify(outcome))
    assert.equal(outcome.decision.notAfter - outcome.decision.notBefore, given)
  })
}

test('a refusal says what to do, and that a new request is needed', () => {
  assert.deepEqual(outcomeOf({ issuer: readyState({}) }), {
    kind: 'fail',
    code: 'PolicyRefused',
    message:
      'URI "spiffe://cluster.local/ns/shop/sa/web" is not allowed (kubernetesCSR.uris: none); leave it ' +
      'out, or ask the operator of the issuer to allow it; make a new CertificateSigningRequest',
  })
  assert.deepEqual(outcomeOf({ request: { csrPem: makeCsr().slice(0, 80) } }).kind, 'fail')
})
