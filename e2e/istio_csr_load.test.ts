import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { textAt } from './harness/json.ts'
import { istioCsrRequest } from './product/istio_csr.ts'
import { assertOneAnswerEach } from './product/one_answer_each.ts'
import { countBy, isAccepted, reasonWritten } from './product/our_calls.ts'
import { RequestFlow } from './product/request_flow.ts'
import { requestsIn, type Scene, startScene } from './product/scene.ts'
import { secondsText } from './product/times.ts'

const perSecond = 25
const count = 20 * perSecond
/** On a busy machine cert-manager's approver takes its time. */
const limitMs = 180_000
const trustDomain = 'spiffe://cluster.local'

describe('workload certificates by istio-csr', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene({
      audit: true,
      latencyMs: 20,
      // Its approver has 20 calls a second by default.
      certManagerArgs: ['--kube-api-qps=200', '--kube-api-burst=400'],
      // A proof of the issuer signs, too.
      controllerFlags: ['--probe-interval=2h'],
      spec: {
        policy: { uris: [`${trustDomain}/*`], usages: ['client auth', 'server auth'] },
      },
    })
  })
  after(() => scene?.stop())

  test(`${perSecond} requests a second: all answered, one signature and one write each`, async (t) => {
    const namespace = await scene.cluster.namespace('istio-csr')
    const signedBefore = await scene.signatures()
    const flow = new RequestFlow(scene, requestsIn(namespace))
    try {
      const made: Promise<unknown>[] = []
      const from = performance.now()
      for (let index = 0; index < count; index++) {
        await delay(Math.max(0, from + (index * 1000) / perSecond - performance.now()))
        made.push(flow.make(istioCsrRequest(`workload-${index}`, identity(index))))
      }
      await Promise.all(made)
      t.diagnostic(`${count} requests made in ${secondsText(performance.now() - from)}`)
      await flow.untilAnswered(limitMs)
      t.diagnostic(flow.describeTimes())
      assert.equal((await scene.signatures()) - signedBefore, count)
      const writes = await assertOneAnswerEach(scene, { ...flow, namespace, wrong: flow.wrong })
      assert.deepEqual(countBy(writes.filter(isAccepted), reasonWritten), { Issued: count })
    } finally {
      flow.stop()
    }

    for (const { name, object } of flow.requests.values()) {
      const pem = Buffer.from(textAt(object, 'status', 'certificate'), 'base64').toString()
      const leaf = new X509Certificate(pem)
      const says = {
        subject: leaf.subject,
        names: leaf.subjectAltName,
        hours: (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 3_600_000,
      }
      const index = Number(name.replace('workload-', ''))
      // Node gives an empty subject as undefined.
      assert.deepEqual(says, { subject: undefined, names: `URI:${identity(index)}`, hours: 1 })
    }
  })

  test('an identity of another trust domain is refused', async () => {
    const namespace = await scene.cluster.namespace('istio-csr')
    const uri = 'spiffe://other.example/ns/default/sa/web'
    await scene.cluster.must('POST', requestsIn(namespace), istioCsrRequest('foreign', uri))
    const failed = await scene.ready(`${requestsIn(namespace)}/foreign`, 'False', 'Failed')
    assert.match(JSON.stringify(failed), /policy\.uris: spiffe:\/\/cluster\.local\/\*/)
  })
})

function identity(index: number): string {
  return `${trustDomain}/ns/team-${index % 5}/sa/workload-${index}`
}
