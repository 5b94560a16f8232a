import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json } from './harness/json.ts'
import { until } from './harness/until.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import { isAccepted, isAnswer, reasonWritten, writesOfOurs } from './product/our_calls.ts'
import { isTouchedByUs } from './product/requests.ts'
import {
  certificatesIn,
  clusterIssuers,
  requestsIn,
  type Scene,
  startScene,
} from './product/scene.ts'
import { certificatesOf, issued } from './product/tls_secret.ts'
import { eventsOn } from './product/told.ts'

const theirIssuers = '/apis/cert-manager.io/v1/clusterissuers'

describe('a reference without our group', () => {
  let scene: Scene
  let namespace: string
  before(async () => {
    scene = await startScene({
      audit: true,
      // With ingress-shim.
      certManagerArgs: ['--controllers=*'],
      spec: { answerUngrouped: true },
    })
    namespace = await scene.cluster.namespace('ungrouped')
  })
  after(() => scene?.stop())

  const createCertificate = (name: string, issuer: string, group?: string) =>
    scene.cluster.must('POST', certificatesIn(namespace), certificate(name, { issuer, group }))
  const createIssuer = async (name: string, spec: object) => {
    const issuer = clusterIssuer(name, scene.vault.url, scene.ca, { ...spec })
    await scene.cluster.must('POST', clusterIssuers, issuer)
  }
  const requestOf = (name: string): ApiPath => `${requestsIn(namespace)}/${name}-1`

  /** The reasons that we wrote on the first request of each Certificate, and the API server took. */
  const answersTo = async (...names: readonly string[]) => {
    const writes = writesOfOurs(await scene.cluster.auditEvents(), namespace).filter(
      (write) => isAnswer(write) && isAccepted(write),
    )
    const reasons = (name: string) =>
      writes.filter((write) => write.name === `${name}-1`).map((write) => reasonWritten(write))
    return Object.fromEntries(names.map((name) => [name, reasons(name)]))
  }

  /** cert-manager has seen the request and does not know the issuer. */
  const pendingByCertManager = async (name: string): Promise<Json> => {
    const request = await scene.ready(requestOf(name), 'False', 'Pending')
    const message = at(conditionOf(request, 'Ready'), 'message')
    assert.match(String(message), /^Referenced "ClusterIssuer" not found/)
    return request
  }

  const assertOurs = async (name: string) => {
    const { leaf, roots } = await issued(scene, namespace, name)
    const [root] = certificatesOf(scene.ca.pem)
    assert.ok(root && leaf.checkIssued(root) && leaf.verify(root.publicKey))
    assert.deepEqual(
      roots.map((one) => one.fingerprint256),
      [root.fingerprint256],
    )
  }

  test('is answered in each form it is written in, by one write', async () => {
    await createCertificate('no-group', 'akv-issuer')
    await createCertificate('their-group', 'akv-issuer', 'cert-manager.io')
    await scene.cluster.must(
      'POST',
      `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
      ingress('by-ingress'),
    )
    for (const name of ['no-group', 'their-group', 'by-ingress']) await assertOurs(name)

    const made = await scene.cluster.must('GET', `${certificatesIn(namespace)}/by-ingress`)
    assert.deepEqual(at(made, 'spec', 'issuerRef'), {
      name: 'akv-issuer',
      kind: 'ClusterIssuer',
      group: 'cert-manager.io',
    })
    assert.deepEqual(await answersTo('no-group', 'their-group', 'by-ingress'), {
      'no-group': ['Issued'],
      'their-group': ['Issued'],
      'by-ingress': ['Issued'],
    })
  })

  test('waits for the issuer with Events alone, and is then answered by one write', async () => {
    const names = ['early', 'early-their-group']
    const key = { ...scene.ca.key, version: 'f'.repeat(32) }
    await createIssuer('later', {
      answerUngrouped: true,
      ca: { key, certificate: { pem: scene.ca.pem } },
    })
    await createCertificate('early', 'later')
    await createCertificate('early-their-group', 'later', 'cert-manager.io')
    for (const name of names) {
      const request = await pendingByCertManager(name)
      const owner = await scene.cluster.must('GET', `${certificatesIn(namespace)}/${name}`)
      for (const object of [request, owner]) {
        const [event, ...others] = await until('an Event', async () => {
          const events = await eventsOn(scene.cluster, object)
          return events.length > 0 && events
        })
        assert.deepEqual([event?.type, event?.reason], ['Normal', 'IssuerNotReady'])
        assert.match(event?.note ?? '', /^ClusterIssuer "later" is not ready: could not sign with /)
        assert.deepEqual(others, [])
      }
    }
    assert.deepEqual(await answersTo(...names), { early: [], 'early-their-group': [] })

    const spec = { ca: { key: scene.ca.key } }
    await scene.cluster.must('PATCH', `${clusterIssuers}/later`, { spec })
    for (const name of names) await assertOurs(name)
    assert.deepEqual(await answersTo(...names), {
      early: ['Issued'],
      'early-their-group': ['Issued'],
    })
  })

  test('is left alone by an issuer that does not say answerUngrouped', async () => {
    await createIssuer('silent', {})
    await scene.ready(`${clusterIssuers}/silent`)
    await createCertificate('not-ours', 'silent')
    await pendingByCertManager('not-ours')
    await assertUntouched('not-ours', 'silent')
  })

  test('is left alone while cert-manager has an issuer of that name', async () => {
    const rival = {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name: 'shared' },
      spec: { selfSigned: {} },
    }
    await scene.cluster.must('POST', theirIssuers, rival)
    await createIssuer('shared', { answerUngrouped: true })
    await scene.ready(`${clusterIssuers}/shared`)

    await createCertificate('theirs', 'shared')
    const { leaf } = await issued(scene, namespace, 'theirs')
    assert.ok(leaf.verify(leaf.publicKey), 'self-signed, by cert-manager')
    await assertUntouched('theirs', 'shared')

    await scene.cluster.must('DELETE', `${theirIssuers}/shared`)
    await createCertificate('inherited', 'shared')
    await assertOurs('inherited')
    assert.deepEqual(await answersTo('inherited'), { inherited: ['Issued'] })
  })

  test('is answered again when answerUngrouped was off for a while', async () => {
    const issuer = `${clusterIssuers}/akv-issuer` as const
    await scene.cluster.must('PATCH', issuer, { spec: { answerUngrouped: false } })
    await scene.ready(issuer)
    await createCertificate('while-off', 'akv-issuer')
    await pendingByCertManager('while-off')
    await assertUntouched('while-off', 'akv-issuer')

    await scene.cluster.must('PATCH', issuer, { spec: { answerUngrouped: true } })
    await assertOurs('while-off')
    assert.deepEqual(await answersTo('while-off'), { 'while-off': ['Issued'] })
  })

  /** By the time that a later Certificate with our group is answered by the same issuer. */
  const assertUntouched = async (name: string, issuer: string) => {
    const marker = `after-${name}`
    await createCertificate(marker, issuer, 'keyvault.akv-issuer.io')
    await assertOurs(marker)
    const request = await scene.cluster.must('GET', requestOf(name))
    assert.ok(!isTouchedByUs(request), scene.evidence(request))
    assert.deepEqual(await eventsOn(scene.cluster, request), [])
    assert.deepEqual(await answersTo(name), { [name]: [] })
  }
})

/** cert-manager's ingress-shim makes a Certificate of the Secret's name of it. */
function ingress(secretName: string) {
  const host = `${secretName}.example.com`
  const backend = { service: { name: 'web', port: { number: 80 } } }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', annotations: { 'cert-manager.io/cluster-issuer': 'akv-issuer' } },
    spec: {
      tls: [{ hosts: [host], secretName }],
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    },
  }
}
