import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, conditionOf, listAt, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { createSelfSigned } from './product/delivered.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  startDeliveryScene,
  textOf,
  x509,
} from './product/delivery_scene.ts'
import { Observer } from './product/observer.ts'
import { callsOfOurs, isAccepted } from './product/our_calls.ts'
import { clusterIssuers, requestsIn } from './product/scene.ts'
import { idOf, issued } from './product/tls_secret.ts'
import { eventsOn } from './product/told.ts'

describe('an issuer that delivers', () => {
  let here: DeliveryScene
  before(async () => {
    here = await startDeliveryScene({ audit: true })
    await here.scene.vault.admin('PUT', '/behaviour', { creationMs: 0 })
  })
  after(() => here?.scene.stop())

  test('brings the first pair, its chain and its root, in about 1 s', async (t) => {
    const { scene, leaves, namespace } = here
    const version = await leaves.import(scene.vault, 'first')
    await createDeliverIssuer(here, 'first')
    const from = performance.now()
    await createCertificate(here, 'first')
    const tls = await issued(scene, namespace, 'first')
    const ms = performance.now() - from
    t.diagnostic(`created to Ready in ${Math.round(ms)} ms`)
    assert.ok(ms < 5_000)
    assert.equal(idOf(tls.leaf), idOf(version.leaf))
    assert.ok(tls.leaf.checkPrivateKey(tls.privateKey))
    const [intermediate, root] = [leaves.intermediate, leaves.root].map((ca) =>
      x509(ca.certificate.der),
    )
    assert.deepEqual(tls.above.map(idOf), [idOf(intermediate)])
    assert.deepEqual(tls.roots.map(idOf), [idOf(root)])

    const issuer = await scene.ready(`${clusterIssuers}/first`)
    assert.equal(at(issuer, 'status', 'mode'), 'deliver')
    assert.deepEqual(at(issuer, 'status', 'certificates'), [
      {
        name: 'first',
        version: version.version,
        notAfter: version.leaf.validToDate.toISOString().replace('.000Z', 'Z'),
      },
    ])
    assert.equal(at(conditionOf(issuer, 'CertificatesUsable'), 'status'), 'True')
  })

  const pkcs8 = /^-----BEGIN PRIVATE KEY-----/
  const kinds = [
    { name: 'rsa-always', key: 'RSA 2048', privateKey: { rotationPolicy: 'Always' } },
    { name: 'rsa-never', key: 'RSA 2048', privateKey: { rotationPolicy: 'Never' } },
    { name: 'ec-always', key: 'ECDSA P-256', privateKey: { rotationPolicy: 'Always' } },
    { name: 'ec-never', key: 'ECDSA P-256', privateKey: { rotationPolicy: 'Never' } },
    { name: 'ec-pkcs8', key: 'ECDSA P-384', privateKey: { encoding: 'PKCS8' } },
  ] as const
  for (const { name, key, privateKey } of kinds) {
    test(`${name}: one write to the Secret at first, and one for a rotation`, async () => {
      const { scene, leaves, namespace } = here
      const observer = new Observer(scene, namespace)
      const first = await leaves.import(scene.vault, name, { key })
      await createDeliverIssuer(here, name)
      const spec = key.startsWith('RSA') ? {} : { algorithm: 'ECDSA', size: Number(key.slice(-3)) }
      await createCertificate(here, name, { spec: { privateKey: { ...spec, ...privateKey } } })
      await deliveredSecret(here, name, first)
      await issued(scene, namespace, name)
      const second = await leaves.import(scene.vault, name, { key })
      const secret = await deliveredSecret(here, name, second)
      await issued(scene, namespace, name)
      observer.stop()
      assert.deepEqual(observer.faults, [])
      assert.equal(observer.writesOf(`${name}-tls`), 2)
      assert.equal(pkcs8.test(textOf(secret, 'tls.key')), 'encoding' in privateKey)
    })
  }

  test('a PFX that Key Vault made, into key stores and other formats, with a template', async () => {
    const { scene, namespace } = here
    const first = await createSelfSigned(scene.vault, 'pfx')
    await createDeliverIssuer(here, 'pfx')
    const spec = {
      privateKey: {},
      secretTemplate: { labels: { team: 'a' } },
      keystores: { pkcs12: { create: true, password: 'changeit' } },
      additionalOutputFormats: [{ type: 'CombinedPEM' }, { type: 'DER' }],
    }
    await createCertificate(here, 'pfx', { spec })
    await deliveredSecret(here, 'pfx', first)
    const second = await createSelfSigned(scene.vault, 'pfx')
    const secret = await deliveredSecret(here, 'pfx', second)
    await issued(scene, namespace, 'pfx')
    assert.equal(at(secret, 'metadata', 'labels', 'team'), 'a')
    assert.ok(textOf(secret, 'tls-combined.pem').includes(textOf(secret, 'tls.key').trim()))
    assert.ok(textOf(secret, 'keystore.p12').length > 0)
  })

  test('renewal is due and Key Vault has not rotated: one wait, until it has', async () => {
    const { scene, leaves, path, namespace } = here
    const hour = 3_600_000
    const parts = { notBefore: -2 * hour, notAfter: hour }
    await leaves.import(scene.vault, 'due', parts)
    await createDeliverIssuer(here, 'due')
    // Due from the start: two thirds of its life are over.
    const made = await createCertificate(here, 'due')
    const request = await scene.object(
      `${requestsIn(namespace)}/due-2`,
      'waits',
      (object) => at(conditionOf(object, 'Ready'), 'reason') === 'Pending',
    )
    const message = String(at(conditionOf(request, 'Ready'), 'message'))
    assert.match(message, /^renewal is due; waiting for Key Vault to rotate "due"; current version/)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const still = await scene.cluster.must('GET', `${requestsIn(namespace)}/due-2`)
    assert.equal(
      at(still, 'metadata', 'resourceVersion'),
      at(request, 'metadata', 'resourceVersion'),
      `at first ${JSON.stringify(request, null, 2)}, then ${scene.evidence(still)}`,
    )
    const ready = await scene.ready(`${path}/due`)
    assert.equal(at(ready, 'status', 'revision'), 1)
    const told = await eventsOn(scene.cluster, made)
    assert.deepEqual(
      told.map(({ reason }) => reason),
      ['KeyVaultNotRotated'],
    )
    const next = await leaves.import(scene.vault, 'due')
    await deliveredSecret(here, 'due', next)
    await issued(scene, namespace, 'due')
  })

  test('a reference without our group: Events while it waits, and only the answer written', async () => {
    const { scene, leaves, path, namespace } = here
    await leaves.import(scene.vault, 'ungrouped')
    await createDeliverIssuer(here, 'ungrouped', ['ungrouped'], {
      answerUngrouped: true,
      suspend: false,
    })
    const spec = { dnsNames: ['later.example.com'] }
    const made = await createCertificate(here, 'ungrouped', { group: undefined, spec })
    await scene.object(
      `${path}/ungrouped`,
      'failed',
      (object) => at(object, 'status', 'failedIssuanceAttempts') === 1,
    )
    const told = await until('an Event', async () => (await eventsOn(scene.cluster, made))[0])
    assert.match(told.note, /the nearest is "ungrouped"/)

    await scene.cluster.must('PATCH', `${path}/ungrouped`, {
      spec: { dnsNames: ['ungrouped.example.com'] },
    })
    const tls = await issued(scene, namespace, 'ungrouped')
    assert.equal(tls.leaf.subjectAltName, 'DNS:ungrouped.example.com')
    const requests = await scene.cluster.must('GET', requestsIn(namespace))
    const ours = listAt(requests, 'items').filter(
      (one) =>
        at(one, 'spec', 'issuerRef', 'name') === 'ungrouped' &&
        at(conditionOf(one, 'Ready'), 'reason') === 'Pending',
    )
    assert.deepEqual(ours, [])
  })

  test('an annotation chooses among what a pattern allows, and a rotation follows it', async () => {
    const { scene, leaves, namespace } = here
    const names = { dnsNames: ['chosen.example.com'] }
    const first = await leaves.import(scene.vault, 'team-a-site', names)
    const own = { name: 'team-a-*', namespaces: { names: [namespace] } }
    await createDeliverIssuer(here, 'chosen', [own])
    const annotations = { 'keyvault.akv-issuer.io/certificate': 'team-a-site' }
    await createCertificate(here, 'chosen', { annotations })
    await deliveredSecret(here, 'chosen', first)
    await issued(scene, namespace, 'chosen')
    await deliveredSecret(here, 'chosen', await leaves.import(scene.vault, 'team-a-site', names))
  })

  // Last: it ends the controller, since a watch is in the audit log when it has ended.
  test('each right that delivering takes is used, and none is missing', async () => {
    const { cluster, controller } = here.scene
    await controller.stop()
    const calls = callsOfOurs(await cluster.auditEvents())
    const isRefused = ({ code }: { code: number }) => code === 401 || code === 403
    assert.deepEqual(calls.filter(isRefused), [])
    const used = new Set(
      calls.filter(isAccepted).map(({ verb, resource, subresource }) => {
        return `${verb} ${resource}${subresource && `/${subresource}`}`
      }),
    )
    for (const name of ['akv-issuer-deliver-certificates', 'akv-issuer-deliver']) {
      const path = `/apis/rbac.authorization.k8s.io/v1/clusterroles/${name}` as const
      for (const rule of listAt(await cluster.must('GET', path), 'rules')) {
        for (const verb of listAt(rule, 'verbs')) {
          const right = `${String(verb)} ${textAt(rule, 'resources', 0)}`
          assert.ok(used.has(right), `${right} is granted and not used`)
        }
      }
    }
  })
})
