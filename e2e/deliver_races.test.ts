import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { asObject } from './crd/paths.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json, listAt, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { Approvals } from './product/approvals.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  holdSecret,
  startDeliveryScene,
} from './product/delivery_scene.ts'
import { Observer } from './product/observer.ts'
import { callsOfOurs } from './product/our_calls.ts'
import { isTouchedByUs } from './product/requests.ts'
import { clusterIssuers, requestsIn } from './product/scene.ts'
import { issued } from './product/tls_secret.ts'

/**
 * cert-manager's approver is off: each request waits for the test, which so stops a delivery between
 * any two of its steps. The gate is one that changes how cert-manager writes status.
 */
const certManagerArgs = [
  '--controllers=*,-ingress-shim,-certificaterequests-approver',
  '--feature-gates=ServerSideApply=true',
]
const controllerFlags = ['--certificate-poll-interval=1s', '--no-leader-elect']

describe('a delivery that something comes between', () => {
  let here: DeliveryScene
  let approvals: Approvals
  let observer: Observer
  before(async () => {
    here = await startDeliveryScene({ audit: true, certManagerArgs, controllerFlags })
    approvals = new Approvals(here.scene, here.namespace)
    observer = new Observer(here.scene, here.namespace)
  })
  after(() => here?.scene.stop())

  /** A version in Key Vault, its issuer and a Certificate; the first request waits for approval. */
  async function begin(name: string, annotations?: Readonly<Record<string, string>>) {
    const version = await here.leaves.import(here.scene.vault, name)
    await createDeliverIssuer(here, name)
    await createCertificate(here, name, { ...(annotations && { annotations }) })
    return version
  }

  /** Until the key is swapped: the second request waits for approval. */
  async function beginAndSwap(name: string) {
    const version = await begin(name)
    await approvals.approveNext(name)
    return { version, second: await approvals.next(name) }
  }

  const certificateNow = (name: string) => here.scene.cluster.must('GET', `${here.path}/${name}`)
  const secretPath = (name: string): ApiPath =>
    `/api/v1/namespaces/${here.namespace}/secrets/${name}`
  async function nextKeyPath(name: string): Promise<ApiPath> {
    return secretPath(textAt(await certificateNow(name), 'status', 'nextPrivateKeySecretName'))
  }
  const requestPath = (request: Json): ApiPath =>
    `${requestsIn(here.namespace)}/${textAt(request, 'metadata', 'name')}`

  /** Ready with the version, by one write to the Secret, and never a pair that does not fit. */
  async function assertDelivered(name: string, version: Parameters<typeof deliveredSecret>[2]) {
    await deliveredSecret(here, name, version)
    await issued(here.scene, here.namespace, name)
    assert.equal(observer.writesOf(`${name}-tls`), 1)
    assert.deepEqual(observer.faults, [])
  }

  test('approvals by hand: no key before the first, no answer before the second', async () => {
    const version = await begin('by-hand')
    const first = await approvals.next('by-hand')
    const nextKey = await nextKeyPath('by-hand')
    const generated = await here.scene.cluster.must('GET', nextKey)
    await delay(1_500)
    assert.deepEqual(await here.scene.cluster.must('GET', nextKey), generated)
    await approvals.approve(first)
    const second = await approvals.next('by-hand')
    await delay(500)
    const waiting = await here.scene.cluster.must('GET', requestPath(second))
    assert.equal(isTouchedByUs(waiting), false)
    const swapped = await here.scene.cluster.must('GET', nextKey)
    for (const object of [waiting, swapped]) {
      assert.deepEqual(listAt(object, 'metadata', 'finalizers'), [])
    }
    await approvals.approve(second)
    await assertDelivered('by-hand', version)
    assert.equal(approvals.countOf('by-hand'), 2)
  })

  test('cert-manager stands still while the key is swapped: it goes on from there', async () => {
    const version = await begin('stands-still')
    const first = await approvals.next('stands-still')
    const nextKey = await nextKeyPath('stands-still')
    const generated = textAt(await here.scene.cluster.must('GET', nextKey), 'data', 'tls.key')
    const certManager = here.scene.cluster.process('cert-manager-controller')
    certManager.pause()
    try {
      await approvals.approve(first)
      await here.scene.object(nextKey, 'swapped', (secret) => {
        return at(secret, 'data', 'tls.key') !== generated
      })
    } finally {
      certManager.resume()
    }
    await approvals.approveNext('stands-still')
    await assertDelivered('stands-still', version)
    assert.equal(approvals.countOf('stands-still'), 2)
  })

  test('the second request is deleted, as by a stale cache: a third is answered', async () => {
    const { version, second } = await beginAndSwap('deleted')
    await here.scene.cluster.must('DELETE', requestPath(second))
    await approvals.approveNext('deleted')
    await assertDelivered('deleted', version)
    assert.equal(approvals.countOf('deleted'), 3)
  })

  test('an answer on its way to a request that is another by then is not written', async () => {
    const { scene } = here
    const { version, second } = await beginAndSwap('replaced')
    // A new process has to read the secret again before it answers.
    await scene.controller.kill()
    await scene.controller.start()
    const held = await holdSecret(here, 'replaced', 3_000)
    await approvals.approve(second)
    await held()
    await scene.cluster.must('DELETE', requestPath(second))
    const third = await approvals.next('replaced')
    const refused = async () =>
      callsOfOurs(await scene.cluster.auditEvents()).filter(
        ({ name, code, subresource }) =>
          name === 'replaced-1' && subresource === 'status' && code === 409,
      )
    await until('the late answer refused', async () => (await refused()).length > 0)
    assert.equal(isTouchedByUs(await scene.cluster.must('GET', requestPath(third))), false)
    await approvals.approve(third)
    await assertDelivered('replaced', version)
    assert.equal(approvals.countOf('replaced'), 3)
  })

  test('cert-manager makes the next key anew after the swap: swapped again', async () => {
    const { version } = await beginAndSwap('made-anew')
    await here.scene.cluster.must('DELETE', await nextKeyPath('made-anew'))
    await approvals.approveNext('made-anew')
    await approvals.approveNext('made-anew')
    await assertDelivered('made-anew', version)
    assert.equal(approvals.countOf('made-anew'), 4)
  })

  test('spec.privateKey is changed after the swap: refused, and delivered when it is mended', async () => {
    const { version } = await beginAndSwap('changed')
    const edit = (privateKey: object) =>
      here.scene.cluster.must('PATCH', `${here.path}/changed`, { spec: { privateKey } })
    await edit({ algorithm: 'RSA', size: 2048 })
    const third = await approvals.next('changed')
    await approvals.approve(third)
    const refused = await here.scene.object(requestPath(third), 'refused', (request) => {
      return at(conditionOf(request, 'Ready'), 'reason') === 'Failed'
    })
    assert.match(
      textAt(conditionOf(refused, 'Ready'), 'message'),
      /its key is ECDSA P-256, and spec\.privateKey asks for RSA 2048/,
    )
    await here.scene.object(`${here.path}/changed`, 'failed', (object) => {
      return at(object, 'status', 'lastFailureTime') !== undefined
    })
    await edit({ algorithm: 'ECDSA', size: 256 })
    // Within the same second cert-manager would take the failure for one of the new issuance.
    await delay(1_100)
    await setIssuing('changed', 'True')
    await approvals.approveNext('changed')
    await approvals.approveNext('changed')
    await assertDelivered('changed', version)
  })

  test('Key Vault rotates between swap and answer: the newer pair is delivered', async () => {
    const { second } = await beginAndSwap('rotated')
    const newer = await here.leaves.import(here.scene.vault, 'rotated')
    await here.scene.object(
      `${clusterIssuers}/rotated`,
      'shows the newer version',
      (issuer) => at(issuer, 'status', 'certificates', 0, 'version') === newer.version,
    )
    await approvals.approve(second)
    await approvals.approveNext('rotated')
    await assertDelivered('rotated', newer)
    assert.equal(approvals.countOf('rotated'), 3)
  })

  test('the issuance ends while the key is fetched: nothing is written, and the next goes well', async () => {
    const { cluster } = here.scene
    const version = await begin('ended')
    const first = await approvals.next('ended')
    const nextKey = await nextKeyPath('ended')
    const held = await holdSecret(here, 'ended', 3_000)
    await approvals.approve(first)
    await held()
    await setIssuing('ended', 'False')
    await until(
      'the next key is gone',
      async () => (await cluster.api('GET', nextKey)).code === 404,
    )
    // cert-manager begins anew: the Secret of the Certificate is still missing.
    await approvals.approveNext('ended')
    await approvals.approveNext('ended')
    await assertDelivered('ended', version)
  })

  /** As `cmctl renew` does, and somebody who takes it back. */
  async function setIssuing(name: string, status: 'True' | 'False'): Promise<void> {
    await until(`Issuing=${status} of ${name} written`, async () => {
      const certificate = await certificateNow(name)
      const conditions = [
        ...listAt(certificate, 'status', 'conditions').filter(
          (one) => at(one, 'type') !== 'Issuing',
        ),
        {
          type: 'Issuing',
          status,
          reason: 'ManuallyTriggered',
          message: 'by the test',
          lastTransitionTime: new Date().toISOString().replace(/\.\d+/, ''),
        },
      ]
      const body = {
        ...asObject(certificate),
        status: { ...asObject(at(certificate, 'status')), conditions },
      }
      return (await here.scene.cluster.api('PUT', `${here.path}/${name}/status`, body)).code === 200
    })
  }

  test("a temporary certificate of cert-manager's goes before: it is replaced", async () => {
    const annotations = { 'cert-manager.io/issue-temporary-certificate': 'true' }
    const version = await begin('temporary', annotations)
    // cert-manager makes one while the request is Pending.
    const suspend = (value: boolean) =>
      here.scene.cluster.must('PATCH', `${clusterIssuers}/temporary`, { spec: { suspend: value } })
    await suspend(true)
    await approvals.approveNext('temporary')
    await here.scene.object(secretPath('temporary-tls'), 'there', (secret) => {
      return at(secret, 'data', 'tls.crt') !== undefined
    })
    await suspend(false)
    await approvals.approveNext('temporary')
    await deliveredSecret(here, 'temporary', version)
    await issued(here.scene, here.namespace, 'temporary')
    assert.deepEqual(observer.faults, [])
  })

  test('rotations by a cert-manager that applies its status go well, too', async () => {
    const first = await begin('applied')
    await approvals.approveNext('applied')
    await approvals.approveNext('applied')
    await assertDelivered('applied', first)
    const second = await here.leaves.import(here.scene.vault, 'applied')
    await approvals.approveNext('applied')
    await approvals.approveNext('applied')
    await deliveredSecret(here, 'applied', second)
    await until('nothing more under way', async () => {
      const issuing = conditionOf(await certificateNow('applied'), 'Issuing')
      return at(issuing, 'status') !== 'True'
    })
    assert.equal(observer.writesOf('applied-tls'), 2)
    assert.deepEqual(observer.faults, [])
  })
})
