import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeKey } from '../test/pki/keys.ts'
import { dnsName, makeCsr, subjectAltName } from '../test/pki/make_csr.ts'
import { asObject } from './crd/paths.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { createSelfSigned } from './product/delivered.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  holdSecret,
  leafIdOf,
  startDeliveryScene,
} from './product/delivery_scene.ts'
import { type Claims, forgedRequest } from './product/forged.ts'
import { certificate } from './product/manifests.ts'
import { certificateRequest, postRequest } from './product/requests.ts'
import { certificatesIn, clusterIssuers, requestsIn } from './product/scene.ts'
import { idOf, issued } from './product/tls_secret.ts'
import { eventsOn, logLines } from './product/told.ts'
import { createRequester } from './product/users.ts'

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
    const annotations = { 'keyvault.akv-issuer.io/certificate': 'payroll' }
    await createCertificate(here, 'by-annotation', { issuer: 'mixed', annotations })
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

  /** A Secret of somebody else in the namespace, with a key of its own. */
  async function createVictim(name: string, labels: Readonly<Record<string, string>> = {}) {
    const key = makeKey('ECDSA P-256').privateKey.export({ type: 'pkcs8', format: 'pem' })
    return await here.scene.cluster.must('POST', secretsPath(), {
      metadata: { name, labels },
      data: { 'tls.key': Buffer.from(key).toString('base64') },
    })
  }
  const secretsPath = (): ApiPath => `/api/v1/namespaces/${here.namespace}/secrets`
  const secretNow = (name: string) => here.scene.cluster.must('GET', `${secretsPath()}/${name}`)

  /** The request once it is Pending with such words. */
  const heldWith = (request: string, words: RegExp) =>
    here.scene.object(
      `${requestsIn(here.namespace)}/${request}`,
      `held with ${words}`,
      (object) => {
        return (
          at(conditionOf(object, 'Ready'), 'reason') === 'Pending' && words.test(messageOf(object))
        )
      },
    )

  /** A Certificate whose next issuance waits for Key Vault: its renewal is due. */
  async function createDue(name: string) {
    const { scene, leaves, namespace } = here
    const hour = 3_600_000
    const due = { notBefore: -2 * hour, notAfter: hour }
    await leaves.import(scene.vault, name, due)
    await createDeliverIssuer(here, name)
    await createCertificate(here, name)
    await answered(`${requestsIn(namespace)}/${name}-2`, 'Pending')
    return await scene.cluster.must('GET', `${here.path}/${name}`)
  }

  test('forged requests of a user who may make requests and nothing else', async () => {
    const { scene, namespace } = here
    const { cluster } = scene
    const user = await createRequester(cluster, namespace)
    const owner = await createDue('forged')
    const marked = { 'cert-manager.io/next-private-key': 'true' }
    await createVictim('forged-victim', marked)
    const nextKey = textAt(owner, 'status', 'nextPrivateKeySecretName')
    const elsewhere = await cluster.namespace('elsewhere')
    const names = ['forged-victim', 'forged-tls', nextKey]
    const untouched = await Promise.all(names.map(secretNow))
    const swaps = swapsFor('forged')
    const cases: ReadonlyArray<readonly [Partial<Claims>, RegExp]> = [
      [{ secret: 'forged-victim' }, /in the Secret that this request names/],
      [{ secret: 'forged-tls' }, /in the Secret that this request names/],
      [{ revision: 7 }, /waits for revision 2/],
      // All of it true, but for the names in the CSR.
      [{}, /is for DNS names \[forged\.example\.com\], and this request is not/],
    ]
    for (const [index, [claims, words]] of cases.entries()) {
      const claimed = { certificate: owner, revision: 2, secret: nextKey, ...claims }
      const request = forgedRequest(`forged-by-${index}`, 'forged', claimed)
      await cluster.must('POST', requestsIn(namespace), request, { as: user })
      // cert-manager takes it for an old one of its own, and may clear it away first.
      const held = await scene.object(
        `${requestsIn(namespace)}/forged-by-${index}`,
        'held or gone',
        (object) =>
          at(conditionOf(object, 'Ready'), 'reason') === 'Pending' ||
          at(object, 'reason') === 'NotFound',
      )
      if (at(held, 'kind') === 'CertificateRequest') assert.match(messageOf(held), words)
    }
    // An owner in another namespace is none.
    const claims = { certificate: owner, revision: 2, secret: nextKey }
    const foreign = forgedRequest('forged-abroad', 'forged', claims)
    await cluster.must('POST', requestsIn(elsewhere), foreign)
    const refused = await answered(`${requestsIn(elsewhere)}/forged-abroad`, 'Failed')
    assert.match(messageOf(refused), /^no Certificate is behind this request/)
    assert.equal(swapsFor('forged'), swaps)
    assert.deepEqual(await Promise.all(names.map(secretNow)), untouched)
    assert.equal((await cluster.api('GET', secretsPath(), undefined, { as: user })).code, 403)
  })

  test('a Certificate whose status was made to name the Secret of somebody else', async () => {
    const { cluster } = here.scene
    await createDue('pointed')
    const victim = await createVictim('pointed-victim')
    await until('the status names it', async () => {
      const certificateNow = asObject(await cluster.must('GET', `${here.path}/pointed`))
      const status = {
        ...asObject(at(certificateNow, 'status')),
        nextPrivateKeySecretName: 'pointed-victim',
      }
      const path = `${here.path}/pointed/status` as const
      return (await cluster.api('PUT', path, { ...certificateNow, status })).code === 200
    })
    // Something to deliver, so that only the Secret stands in the way.
    await here.leaves.import(here.scene.vault, 'pointed')
    await heldWith(
      'pointed-2',
      /^Secret "pointed-victim" is not marked by cert-manager as the next/,
    )
    assert.deepEqual(await secretNow('pointed-victim'), victim)
  })

  test('a Secret that is another by the time the key arrives', async () => {
    const { scene, leaves } = here
    await leaves.import(scene.vault, 'swapped')
    await createDeliverIssuer(here, 'swapped')
    const held = await holdSecret(here, 'swapped', 3_000)
    await createCertificate(here, 'swapped')
    await held()
    const made = await scene.cluster.must('GET', `${here.path}/swapped`)
    const nextKey = textAt(made, 'status', 'nextPrivateKeySecretName')
    const other = await createVictim('swapped-other')
    const replaced = await scene.cluster.must('PUT', `${secretsPath()}/${nextKey}`, {
      metadata: { name: nextKey },
      data: at(other, 'data'),
    })
    await heldWith('swapped-1', /is not marked by cert-manager as the next private key of Certif/)
    assert.deepEqual(await secretNow(nextKey), replaced)
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
