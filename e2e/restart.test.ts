import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { at, type Json, textAt } from './harness/json.ts'
import type { RunningProcess } from './harness/process.ts'
import { until } from './harness/until.ts'
import { controllerNamespace, startController } from './product/controller.ts'
import { certificate } from './product/manifests.ts'
import { assertOneAnswerEach } from './product/one_answer_each.ts'
import { controllerUser, countBy, reasonWritten, writesOfOurs } from './product/our_calls.ts'
import { certificatesIn, requestsIn, type Scene, startScene } from './product/scene.ts'
import { type SeenRequest, startStorm } from './product/storm.ts'
import { logLines } from './product/told.ts'

/** A proof of the issuer signs, too; there is one at each start of a leader and no other. */
const noReprobe = '--probe-interval=2h'
const limitMs = 180_000
/** How long Key Vault takes for a signature before the kill. */
const signMs = 1_000
const leases = `/apis/coordination.k8s.io/v1/namespaces/${controllerNamespace}/leases` as const
const webhooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'

describe('the controller comes and goes', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene({ audit: true, latencyMs: 20, controllerFlags: [noReprobe] })
  })
  after(() => scene?.stop())

  test('killed in a storm and started again: each request answered once, each loss known', async (t) => {
    const { controller } = scene
    const count = 200
    await scene.vault.admin('PUT', '/latency', { 'keys/sign': signMs })
    const signedBefore = await scene.signatures()
    const storm = await startStorm(scene, { count })
    try {
      await until('a fifth of the storm issued', () => storm.issued >= count / 5, limitMs)
      await until('signatures under way', () => stoppedWhileSigning(controller), limitMs)
      await controller.kill()
      const killed = logLines(controller)
      const killedAt = performance.now()
      await scene.vault.admin('PUT', '/latency', { 'keys/sign': 20 })
      await controller.start()
      await until('the new process answers', () => answered(logLines(controller)) > 0, limitMs)
      t.diagnostic(
        `killed after ${answered(killed)} of ${count}; next answer ${since(killedAt)} later`,
      )
      await storm.untilReady(limitMs)
      t.diagnostic(storm.describeTimes())

      await assertOneAnswerEach(scene, storm, { isEnded: true })
      const intents = [...signing(killed), ...signing(logLines(controller))]
      const published = new Set([...storm.requests.values()].map(serialOf))
      const lost = signing(killed).filter(({ serial }) => !published.has(serial))
      const intended = new Set(intents.map(({ uid, serial }) => `${uid} ${serial}`))
      assert.deepEqual(
        [...storm.requests.values()].filter(
          (request) => !intended.has(`${request.uid} ${serialOf(request)}`),
        ),
        [],
        'each published serial was announced for its request',
      )
      assert.ok(lost.length > 0, 'it was killed between signature and status write')
      const proofs = 1
      const signatures = (await scene.signatures()) - signedBefore - proofs
      const lostSignatures = signatures - storm.requests.size
      t.diagnostic(`${lost.length} serials announced and lost, ${lostSignatures} of them signed`)
      assert.ok(
        lostSignatures <= lost.length,
        `${lostSignatures} signatures lost, ${lost.length} announced`,
      )
    } finally {
      storm.stop()
    }
  })

  test('ended by SIGTERM in a storm: code 0, and the lease is handed over', async (t) => {
    const { cluster, vault } = scene
    const holders: string[] = []
    const stopWatch = cluster.watch(leases, ({ object }) => {
      const holder = textAt(object, 'spec', 'holderIdentity')
      if (holders.at(-1) !== holder) holders.push(holder)
    })
    const next = await startController(cluster, vault, { name: 'successor', flags: [noReprobe] })
    await until('the lease seen', () => holders.length === 1)
    const storm = await startStorm(scene, { count: 60 })
    try {
      await until('some of the storm issued', () => storm.issued >= 10, limitMs)
      const from = performance.now()
      scene.controller.signal('SIGTERM')
      const exit = await scene.controller.ended()
      t.diagnostic(`ended after ${since(from)}`)
      assert.deepEqual(exit, { code: 0, signal: null }, scene.controller.logTail(40))
      assert.ok(performance.now() - from < 5 * 5_000, 'ended in good time')
      await until('the successor leads', () => next.output().includes('"leading"'))
      t.diagnostic(`successor leads ${since(from)} after the signal`)
      await storm.untilReady(limitMs)
      await assertOneAnswerEach(scene, storm, { isEnded: true })
      const [first, between, second, ...more] = holders
      assert.deepEqual([between, more], ['', []], `the lease went ${holders.join(' > ')}`)
      assert.notEqual(first, second)
    } finally {
      storm.stop()
      stopWatch()
      await next.stop()
      await scene.controller.start()
    }
  })

  test('a status write fails: the signature is kept and written again', async (t) => {
    const { cluster } = scene
    const namespace = await cluster.namespace('kept')
    // A proof of the issuer by the process that has just started must not count below.
    await cluster.must('POST', certificatesIn(namespace), certificate('first'))
    await scene.ready(`${certificatesIn(namespace)}/first`)
    const signedBefore = await scene.signatures()
    await refuseOurAnswers(`${requestsIn(namespace)}/first-1`)
    await cluster.must('POST', certificatesIn(namespace), certificate('second'))
    const tries = async () =>
      writesOfOurs(await cluster.auditEvents(), namespace).filter(({ name }) => name === 'second-1')
    await until('three writes refused', async () => (await tries()).length >= 3, limitMs)
    assert.equal((await scene.signatures()) - signedBefore, 1)
    await cluster.must('DELETE', `${webhooks}/refuse-our-answers`)
    await scene.object(
      `${requestsIn(namespace)}/second-1`,
      'a certificate',
      (object) => at(object, 'status', 'certificate') !== undefined,
      limitMs,
    )
    const byCode = countBy(await tries(), (event) => `${event.code} ${reasonWritten(event)}`)
    t.diagnostic(`status writes: ${JSON.stringify(byCode)}`)
    assert.equal(byCode['200 Issued'], 1)
    assert.equal((await scene.signatures()) - signedBefore, 1, 'one signature, however many writes')
  })

  /** Makes the API server answer 500 to status writes of the controller, as with a webhook gone. */
  async function refuseOurAnswers(probe: `/${string}`): Promise<void> {
    const { cluster } = scene
    await cluster.must('POST', webhooks, {
      metadata: { name: 'refuse-our-answers' },
      webhooks: [
        {
          name: 'refuse-our-answers.example.com',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Fail',
          timeoutSeconds: 1,
          clientConfig: { url: 'https://127.0.0.1:1/' },
          matchConditions: [
            { name: 'ours', expression: `request.userInfo.username == "${controllerUser}"` },
          ],
          rules: [
            {
              apiGroups: ['cert-manager.io'],
              apiVersions: ['v1'],
              operations: ['UPDATE'],
              resources: ['certificaterequests/status'],
            },
          ],
        },
      ],
    })
    await until('our writes are refused', async () => {
      const { code } = await cluster.api(
        'PATCH',
        `${probe}/status?dryRun=All`,
        {},
        {
          as: controllerUser,
        },
      )
      return code === 500
    })
  }
})

interface Intent {
  readonly uid: string
  readonly serial: string
}

/** Stops the process where it is, if Key Vault cannot have answered its last call yet. */
function stoppedWhileSigning(controller: RunningProcess): boolean {
  const now = Date.now()
  controller.pause()
  const isSigning = logLines(controller).some(
    (line) =>
      at(line, 'message') === 'signing' && Date.parse(textAt(line, 'time')) > now - signMs / 2,
  )
  if (!isSigning) controller.resume()
  return isSigning
}

function answered(log: readonly Json[]): number {
  return log.filter((line) => at(line, 'message') === 'request answered').length
}

/** What the log announced before each call to Key Vault. */
function signing(log: readonly Json[]): readonly Intent[] {
  return log
    .filter((line) => at(line, 'message') === 'signing')
    .map((line) => ({ uid: textAt(line, 'uid'), serial: textAt(line, 'serial') }))
}

function serialOf({ published }: SeenRequest): string {
  const [first = ''] = published
  return new X509Certificate(Buffer.from(first, 'base64')).serialNumber.toLowerCase()
}

function since(from: number): string {
  return `${((performance.now() - from) / 1000).toFixed(1)} s`
}
