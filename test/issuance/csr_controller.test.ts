import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPolicy } from '../../src/api/policy.ts'
import { digestSigner, signatureAlgorithms } from '../../src/devvault/sign_digest.ts'
import { type ErrorCode, IssuerError } from '../../src/error.ts'
import { CsrController } from '../../src/issuance/csr_controller.ts'
import type { IssuerState } from '../../src/issuance/issuer_state.ts'
import { Notices } from '../../src/issuance/notices.ts'
import type { AcceptedAnswer } from '../../src/issuance/outcome.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { silentLog } from '../../src/log.ts'
import { parseKubernetesCsrPolicy } from '../../src/pki/kubernetes_csr_policy.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { FakeClock } from '../fake_clock.ts'
import { makeCa, now } from '../pki/make_ca.ts'
import { accepted } from '../pki/outcomes.ts'
import { makeNoVault } from '../vault/no_vault.ts'
import { makeKubernetesCsr } from './make_kubernetes_csr.ts'
import { makeCondition } from './make_request.ts'
import { makeSigner } from './make_signer.ts'

const ca = makeCa()
const signDigest = digestSigner(ca.key.privateKey.export({ format: 'jwk' }))
const policy = { uris: ['spiffe://cluster.local/*'], maxDurationMs: 86_400_000 }
const kubernetesCsr = accepted(parseKubernetesCsrPolicy(policy, readPolicy(undefined)))

/** Signs with the CA's key, after it has failed with each of `codes`. */
function failingVault(codes: readonly ErrorCode[]): Vault {
  const left = [...codes]
  return {
    ...makeNoVault(),
    async sign({ digest }) {
      const code = left.shift()
      if (code !== undefined) throw new IssuerError(code, 'for a while')
      const algorithm = signatureAlgorithms.get('ES256')
      assert(algorithm !== undefined)
      return signDigest(algorithm, digest)
    },
  }
}

/** A controller, whose issuer's state a test sets, and what it writes, answers and says. */
function bench(...codes: readonly ErrorCode[]) {
  const clock = new FakeClock(now)
  const stop = new AbortController()
  const signer = makeSigner(ca, [], { kubernetesCsr, vault: failingVault(codes) })
  const ready: IssuerState = { kind: 'ready', mode: 'sign', signer, next: undefined }
  const states: { issuer: IssuerState | undefined } = { issuer: ready }
  const writes: string[] = []
  const answers: AcceptedAnswer[] = []
  const told: string[] = []
  const kube: KubeClient = {
    server: 'memory',
    namespace: undefined,
    async request({ method, path }) {
      writes.push(`${method} ${path}`)
      return {}
    },
    watch: () => {
      throw new Error('this test watches nothing')
    },
    async close() {},
  }
  const controller = new CsrController({
    kube,
    clock,
    random: { bytes: (length) => new Uint8Array(length).fill(0x11), fraction: () => 0.5 },
    log: silentLog,
    notices: new Notices({ record: ({ reason }) => told.push(reason) }, ({ name, uid }) => [
      { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', name, uid },
    ]),
    concurrency: 1,
    assertLeader: () => {},
    issuerState: () => states.issuer,
    missingRights: () => undefined,
    recheckIssuer: () => {},
    onAnswer: (answer) => answers.push(answer),
  })
  const run = controller.run(stop.signal)
  const end = async () => {
    stop.abort()
    await run
  }
  const waits = () => controller.waits.map(({ reason, count }) => `${count} ${reason}`)
  return { clock, states, ready, writes, answers, told, controller, waits, end }
}

const lastTransitionTime = new Date(now).toISOString()
const approved = { ...makeCondition('Approved', 'AutoApproved'), lastTransitionTime }

test('a request waits for its approval, then for its issuer, and is answered in the end', async () => {
  const { clock, states, ready, writes, answers, told, controller, waits, end } = bench()
  states.issuer = { kind: 'suspended' }
  controller.observe('added', makeKubernetesCsr({ approved: undefined }))
  await clock.advance(1_000)
  assert.deepEqual([waits(), told], [['1 NotApproved'], []])
  controller.observe('updated', makeKubernetesCsr({ approved }))
  await clock.advance(59_000)
  assert.deepEqual([waits(), told], [['1 IssuerSuspended'], ['IssuerSuspended']])
  states.issuer = ready
  controller.wake('mesh')
  await clock.advance(10)
  assert.deepEqual(writes, [
    'PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/csr-workload-x7f2k/status',
  ])
  // Approved within the second that Kubernetes tells: at its end at the latest.
  assert.deepEqual(answers, [{ reason: 'Issued', waitedMs: 60_000 - 999 }])
  assert.deepEqual(waits(), [])
  await end()
})

test('trouble of the vault is why a request waits, until the vault signs', async () => {
  const { clock, answers, controller, waits, end } = bench('VaultThrottled', 'VaultUnavailable')
  controller.observe('added', makeKubernetesCsr({ approved }))
  await clock.advance(100)
  assert.deepEqual(waits(), ['1 VaultThrottled'])
  await clock.advance(400)
  assert.deepEqual(waits(), ['1 VaultUnavailable'])
  await clock.advance(10_000)
  assert.deepEqual([waits(), answers.map(({ reason }) => reason)], [[], ['Issued']])
  await end()
})

test('a refusal is counted by its code', async () => {
  const { clock, answers, told, controller, waits, end } = bench()
  controller.observe('added', makeKubernetesCsr({ approved, csrPem: 'no PEM' }))
  await clock.advance(100)
  assert.deepEqual(answers, [{ reason: 'Failed', code: 'RequestInvalid', waitedMs: 0 }])
  assert.deepEqual([told, waits()], [['RequestInvalid'], []])
  await end()
})

test('a request that is deleted waits no more', async () => {
  const { clock, states, controller, waits, end } = bench()
  states.issuer = undefined
  controller.observe('added', makeKubernetesCsr({ approved }))
  await clock.advance(100)
  assert.deepEqual(waits(), ['1 IssuerNotFound'])
  controller.observe('deleted', makeKubernetesCsr({ approved }))
  assert.deepEqual(waits(), [])
  await end()
})
