import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeKey } from '../test/pki/keys.ts'
import { dnsName, makeCsr, subjectAltName } from '../test/pki/make_csr.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json, textAt } from './harness/json.ts'
import { createSelfSigned } from './product/delivered.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  leafIdOf,
  startDeliveryScene,
} from './product/delivery_scene.ts'
import { certificate } from './product/manifests.ts'
import { certificateRequest, postRequest } from './product/requests.ts'
import { certificatesIn, clusterIssuers, requestsIn } from './product/scene.ts'
import { idOf, issued } from './product/tls_secret.ts'
import { eventsOn, logLines } from './product/told.ts'

describe('an issuer that delivers refuses', () => {
  let here: DeliveryScene
  before(async () => {
    here = await startDeliveryScene()
    await here.scene.vault.admin('PUT', '/behaviour', { creationMs: 0 })
  })
  after(() => here?.scene.stop())

  /** Keys that went into a Secret so far, by Certificate. */
  const swapsFor = (name: string) =>
    logLines(here.scene.controller).filter(
      (line) =>
        at(line, 'message') === 'putting the key from Key Vault in place' &&
        at(line, 'certificate') === name,
    ).length

  const answered = (path: ApiPath, reason: string) =>
    here.scene.object(
      path,
      `answered ${reason}`,
      (object) => at(conditionOf(object, 'Ready'), 'reason') === reason,
    )
  const messageOf = (object: Json) => String(at(conditionOf(object, 'Ready'), 'message'))

  test('a key of another type, before any key is moved, and says what to write', async () => {
    const { scene, leaves, namespace } = here
    await leaves.import(scene.vault, 'wrong-key')
    await createDeliverIssuer(here, 'wrong-key')
    const made = await createCertificate(here, 'wrong-key', { spec: { privateKey: {} } })
    const request = await answered(`${requestsIn(namespace)}/wrong-key-1`, 'Failed')
    assert.match(
      messageOf(request),
      /its key is ECDSA P-256, and spec\.privateKey asks for RSA 2048; .*\ndnsNames: \["wrong-key\.example\.com"\]\nprivateKey: \{algorithm: ECDSA, size: 256\}\n; change Certificate/,
    )
    await delay(2_000)
    assert.equal(swapsFor('wrong-key'), 0)
    assert.equal((await eventsOn(scene.cluster, made))[0]?.reason, 'CertificateNotOffered')
  })

  test('a namespace that is not on the list, without a word of what there is', async () => {
    const { scene, leaves, namespace } = here
    await leaves.import(scene.vault, 'payroll')
    await leaves.import(scene.vault, 'public-site')
    await createDeliverIssuer(here, 'mixed', [
      { name: 'payroll', namespaces: { names: ['finance'] } },
      'public-site',
    ])
    await createCertificate(here, 'payroll', { issuer: 'mixed' })
    const request = await answered(`${requestsIn(namespace)}/payroll-1`, 'Failed')
    assert.match(messageOf(request), /the nearest is "public-site"/)
    const outside = certificate('by-annotation', { issuer: 'mixed' })
    const annotations = { 'keyvault.akv-issuer.io/certificate': 'payroll' }
    await scene.cluster.must('POST', here.path, {
      ...outside,
      metadata: { ...outside.metadata, annotations },
    })
    const chosen = await answered(`${requestsIn(namespace)}/by-annotation-1`, 'Failed')
    assert.match(messageOf(chosen), /"payroll" is not among those that namespace/)
    assert.equal(swapsFor('payroll') + swapsFor('by-annotation'), 0)
  })

  test('a namespace whose Secrets are closed to the controller, and says what to bind', async () => {
    const { scene, leaves } = here
    const closed = await scene.cluster.namespace('closed')
    await leaves.import(scene.vault, 'closed')
    await createDeliverIssuer(here, 'closed')
    const spec = certificate('closed', { issuer: 'closed' })
    await scene.cluster.must('POST', certificatesIn(closed), spec)
    const request = await answered(`${requestsIn(closed)}/closed-1`, 'Pending')
    assert.match(messageOf(request), /bind the ClusterRole akv-issuer-deliver/)
  })

  test('a request without a Certificate, unless it has the key already', async () => {
    const { scene, namespace } = here
    const key = makeKey('ECDSA P-256')
    const { leaves } = here
    const made = await leaves.import(scene.vault, 'bare', { keyPair: key })
    await createDeliverIssuer(here, 'bare')
    const extensions = [subjectAltName(dnsName('bare.example.com'))]
    const options = { issuer: 'bare' }
    const own = await postRequest(
      scene,
      namespace,
      certificateRequest('bare-own', makeCsr({ key, extensions }), options),
    )
    const other = await postRequest(
      scene,
      namespace,
      certificateRequest('bare-other', makeCsr({ extensions }), options),
    )
    const given = await answered(own, 'Issued')
    const chain = { data: { 'tls.crt': textAt(given, 'status', 'certificate') } }
    assert.equal(leafIdOf(chain), idOf(made.leaf))
    assert.match(messageOf(await answered(other, 'Failed')), /^no Certificate is behind this/)
  })

  test('a forged request: no Secret but the next key of its Certificate is ever written', async () => {
    const { scene, leaves, namespace } = here
    const version = await leaves.import(scene.vault, 'forged')
    await createDeliverIssuer(here, 'forged')
    const owner = await createCertificate(here, 'forged')
    await deliveredSecret(here, 'forged', version)
    await issued(scene, namespace, 'forged')
    const victims = `/api/v1/namespaces/${namespace}/secrets` as const
    await scene.cluster.must('POST', victims, {
      metadata: {
        name: 'victim',
        labels: { 'cert-manager.io/next-private-key': 'true' },
      },
      data: { 'tls.key': Buffer.from('mine').toString('base64') },
    })
    const secret = await scene.cluster.must('GET', `${victims}/victim`)
    const target = await scene.cluster.must('GET', `${victims}/forged-tls`)
    const swaps = swapsFor('forged')
    for (const name of ['victim', 'forged-tls']) {
      const request = certificateRequest(`forged-${name}`, makeCsr(), { issuer: 'forged' })
      const path = await postRequest(scene, namespace, {
        ...request,
        metadata: {
          ...request.metadata,
          ...{
            annotations: {
              'cert-manager.io/certificate-revision': '2',
              'cert-manager.io/private-key-secret-name': name,
              'cert-manager.io/certificate-name': 'forged',
            },
            ownerReferences: [
              {
                apiVersion: 'cert-manager.io/v1',
                kind: 'Certificate',
                name: 'forged',
                uid: textAt(owner, 'metadata', 'uid'),
                controller: true,
              },
            ],
          },
        },
      })
      // cert-manager takes it for an old one of its own, and may clear it away first.
      const held = await scene.object(path, 'held or gone', (object) => {
        const isHeld = at(conditionOf(object, 'Ready'), 'reason') === 'Pending'
        return isHeld || at(object, 'reason') === 'NotFound'
      })
      if (at(held, 'kind') === 'CertificateRequest') {
        assert.match(messageOf(held), /Certificate "forged" is not being issued/)
      }
    }
    assert.equal(swapsFor('forged'), swaps)
    assert.deepEqual(
      await Promise.all(
        ['victim', 'forged-tls'].map(async (name) =>
          at(await scene.cluster.must('GET', `${victims}/${name}`), 'data'),
        ),
      ),
      [at(secret, 'data'), at(target, 'data')],
    )
  })

  test('a new version that does not fit its users: the old one serves, and it is told', async () => {
    const { scene, leaves, path, namespace } = here
    const first = await leaves.import(scene.vault, 'misfit')
    await createDeliverIssuer(here, 'misfit')
    const made = await createCertificate(here, 'misfit')
    await deliveredSecret(here, 'misfit', first)
    await issued(scene, namespace, 'misfit')
    await leaves.import(scene.vault, 'misfit', { key: 'RSA 2048' })
    const usable = (status: string) =>
      scene.object(
        `${clusterIssuers}/misfit`,
        `CertificatesUsable ${status}`,
        (issuer) => at(conditionOf(issuer, 'CertificatesUsable'), 'status') === status,
      )
    const issuer = await usable('False')
    assert.match(
      textAt(conditionOf(issuer, 'CertificatesUsable'), 'message'),
      new RegExp(
        `^Certificate ${namespace}/misfit: certificate "misfit" does not fit: its key is RSA`,
      ),
    )
    assert.equal((await eventsOn(scene.cluster, made)).at(-1)?.reason, 'VersionDoesNotFit')
    const certificateNow = await scene.ready(`${path}/misfit`)
    assert.notEqual(at(conditionOf(certificateNow, 'Issuing'), 'status'), 'True')
    await deliveredSecret(here, 'misfit', first)
    const lockedKey = { kty: 'EC', crv: 'P-256', exportable: false }
    await createSelfSigned(scene.vault, 'misfit', { subject: '', key_props: lockedKey })
    await scene.object(`${clusterIssuers}/misfit`, 'tells of the key', (each) =>
      String(at(conditionOf(each, 'CertificatesUsable'), 'message')).includes('exportable'),
    )
    const untouched = await scene.ready(`${path}/misfit`)
    assert.notEqual(at(conditionOf(untouched, 'Issuing'), 'status'), 'True')
    // Mended in Key Vault, it goes on by itself.
    await deliveredSecret(here, 'misfit', await leaves.import(scene.vault, 'misfit'))
    await usable('True')
  })

  test('a key that is not exportable, with the setting to change; it waits, and is not failed', async () => {
    const { scene, namespace } = here
    const lockedKey = { kty: 'EC', crv: 'P-256', exportable: false }
    await createSelfSigned(scene.vault, 'locked', { subject: '', key_props: lockedKey })
    await createDeliverIssuer(here, 'locked')
    await createCertificate(here, 'locked')
    const request = await answered(`${requestsIn(namespace)}/locked-1`, 'Pending')
    assert.match(messageOf(request), /key_props\.exportable/)
  })
})
