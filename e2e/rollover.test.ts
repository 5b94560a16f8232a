import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, conditionOf, type Json, listAt, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { createVaultCa, type VaultCa } from './product/ca.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import { callsOfOurs, isAccepted } from './product/our_calls.ts'
import { addConditions } from './product/requests.ts'
import {
  allowReissue,
  askedAt,
  type Held,
  heldIn,
  mostInASecond,
  rolledOver,
  rolloverReason,
} from './product/rollover.ts'
import {
  certificatesIn,
  clusterIssuers,
  requestsIn,
  type Scene,
  startScene,
} from './product/scene.ts'
import { certificatesOf, issued } from './product/tls_secret.ts'
import { eventsOn } from './product/told.ts'

const ratePerSecond = 4
const leaves = Array.from({ length: 20 }, (_, index) => `leaf-${index}`)
const path = `${clusterIssuers}/mesh` as const

describe('a CA is followed by another', () => {
  let scene: Scene
  let namespace: string
  let a: VaultCa
  let b: VaultCa
  /** What a client of the step before, or after, may still trust. */
  const bundles: string[] = []
  let heldBefore: readonly Held[] = []
  /** Under load cert-manager now and then issues a new Certificate twice. */
  const firstRevision = new Map<string, number>()
  before(async () => {
    scene = await startScene({
      audit: true,
      controllerFlags: [`--reissue-rate=${ratePerSecond}`, '--probe-interval=2s'],
    })
    namespace = await scene.cluster.namespace('mesh')
    a = scene.ca
    // Of the same name, as the CAs of one owner often are.
    b = await createVaultCa(scene.vault, 'next', { subject: '/O=Contoso/CN=ca' })
    const policy = { isCA: { allowed: true, namespaces: { all: true } } }
    const issuer = clusterIssuer('mesh', scene.vault.url, a, { policy })
    await scene.cluster.must('POST', clusterIssuers, issuer)
    await scene.ready(path)
    const cacerts = { isCA: true, commonName: 'istiod mesh', usages: ['cert sign', 'crl sign'] }
    const wanted = [
      ...leaves.map((name) => certificate(name, { issuer: 'mesh' })),
      certificate('cacerts', { issuer: 'mesh', spec: cacerts }),
    ]
    for (const object of wanted) await scene.cluster.must('POST', certificatesIn(namespace), object)
    await rolledOverTo({ bundle: a.pem, by: a, reissues: 0 })
    for (const { name, revision } of heldBefore) firstRevision.set(name, revision)
  })
  after(() => scene?.stop())

  const next = (activate: boolean) => ({ key: b.key, certificate: { pem: b.pem }, activate })
  const set = (ca: object, more: object = {}) =>
    scene.cluster.must('PATCH', path, { spec: { ca, ...more } })

  const reissuesOf = ({ name, revision }: Held) => revision - (firstRevision.get(name) ?? revision)

  /** Each Certificate has these octets, was issued anew so often, and verifies in every step beside. */
  const rolledOverTo = async (step: { bundle: string; by: VaultCa; reissues: number }) => {
    for (const name of [...leaves, 'cacerts']) {
      await scene.object(`${certificatesIn(namespace)}/${name}`, 'issued', isIssued)
    }
    const held = await heldIn(scene, namespace)
    const names = (bad: readonly Held[]) => bad.map(({ name }) => name)
    assert.equal(held.length, leaves.length + 1)
    assert.deepEqual(
      held.map(({ name, bundle }) => ({ name, bundle })),
      held.map(({ name }) => ({ name, bundle: step.bundle })),
    )
    assert.deepEqual(names(held.filter((one) => reissuesOf(one) < step.reissues)), [])
    const earlier = bundles.at(-1) ?? step.bundle
    assert.ok(step.bundle.includes(earlier) || earlier.includes(step.bundle), 'as bytes.Contains')
    for (const bundle of [step.by.pem, earlier, step.bundle]) {
      assert.deepEqual(names(held.filter((one) => !verifies(one, bundle))), [])
    }
    // What was had a step before is on the wire still, to those who have come to this one.
    assert.deepEqual(names(heldBefore.filter((one) => !verifies(one, step.bundle))), [])
    heldBefore = held
    bundles.push(step.bundle)
  }

  test('without the right to have Certificates issued anew it says so', async () => {
    await set({ next: next(false) })
    const issuer = await rolloverReason(scene, path, 'CannotReissue')
    const message =
      'the controller may not list Certificates: apply config/rbac/rollover, or renew the ' +
      'Certificates by hand (cmctl renew)'
    assert.equal(at(conditionOf(issuer, 'CARollover'), 'message'), message)
    assert.equal(at(conditionOf(issuer, 'Ready'), 'status'), 'True')
    const events = await until('a Warning', async () => {
      const found = await eventsOn(scene.cluster, issuer)
      return found.some(({ reason }) => reason === 'CannotReissue') && found
    })
    assert.deepEqual(
      events.filter(({ type }) => type === 'Warning'),
      [{ type: 'Warning', reason: 'CannotReissue', note: message }],
    )
  })

  test('A, then A+B: both roots reach each Certificate once, over a restart, and A signs', async () => {
    const present = `leaf-0-${firstRevision.get('leaf-0')}`
    await scene.cluster.must('DELETE', `${requestsIn(namespace)}/${present}`)
    await allowReissue(scene)
    // Looked at again every minute, or when the issuer changes.
    await set({}, { limits: { inFlight: 31 } })
    const done = async () =>
      (await heldIn(scene, namespace)).filter((one) => reissuesOf(one) > 0).length
    await until('a third is done', async () => (await done()) >= 7)
    await scene.controller.kill()
    await scene.controller.start()
    const issuer = await rolloverReason(scene, path, 'Reissuing')
    assert.deepEqual(rootsOf(issuer), fingerprints(a, b))

    const stuck = await scene.object(path, 'all but one', (object) =>
      textAt(conditionOf(object, 'CARollover'), 'message').startsWith('20 of 21'),
    )
    assert.equal(
      at(conditionOf(stuck, 'CARollover'), 'message'),
      `20 of 21 Certificates carry the 2 roots of status.ca.roots; of ${namespace}/leaf-0 the ` +
        'CertificateRequest is gone, so that nobody knows what they carry: renew them (cmctl renew)',
    )
    await addConditions(scene, `${certificatesIn(namespace)}/leaf-0`, {
      type: 'Issuing',
      reason: 'ManuallyTriggered',
      message: 'Certificate re-issuance manually triggered',
    })
    await rolledOver(scene, 'mesh')
    await rolledOverTo({ bundle: a.pem + b.pem, by: a, reissues: 1 })
  })

  test('A+B, signed by B: the order of the roots is what it was', async () => {
    await set({ next: next(true) })
    await rolledOver(scene, 'mesh')
    await rolledOverTo({ bundle: a.pem + b.pem, by: b, reissues: 2 })
    const issuer = await scene.cluster.must('GET', path)
    assert.equal(textAt(issuer, 'status', 'ca', 'keyId').split('/').at(-2), 'next')
    assert.deepEqual(rootsOf(issuer), fingerprints(a, b))
  })

  test('B takes the place of A and A stays: nothing changes', async () => {
    await set({
      key: b.key,
      certificate: { pem: b.pem },
      next: { key: a.key, certificate: { pem: a.pem }, activate: false },
    })
    await rolledOver(scene, 'mesh')
    await rolledOverTo({ bundle: a.pem + b.pem, by: b, reissues: 2 })
  })

  test('B only: A is gone from each Certificate', async () => {
    await set({ next: null })
    await rolledOver(scene, 'mesh')
    await rolledOverTo({ bundle: b.pem, by: b, reissues: 3 })
    const issuer = await rolloverReason(scene, path, 'Settled')
    assert.deepEqual(rootsOf(issuer), fingerprints(b))
  })

  test('a next CA that breaks stops nothing, and its root stays', async () => {
    const { vault, cluster } = scene
    const broken = `${clusterIssuers}/broken` as const
    const wrong = clusterIssuer('broken', vault.url, a, {
      ca: {
        key: a.key,
        certificate: { pem: a.pem },
        next: { key: a.key, certificate: { pem: b.pem } },
      },
    })
    await cluster.must('POST', clusterIssuers, wrong)
    const invalid = await rolloverReason(scene, broken, 'NextInvalid')
    assert.equal(
      at(conditionOf(invalid, 'CARollover'), 'message'),
      `spec.ca.next cannot be used, and spec.ca signs: a signature by ${vault.url}/keys/ca/` +
        `${a.key.version} does not verify with the public key of the CA certificate "CN=ca,O=Contoso" — ` +
        'name the key version that the certificate was made for, or the certificate that was made for ' +
        'the key version',
    )
    const apart = await cluster.namespace('broken')
    const bundleOf = async (name: string) => {
      await cluster.must('POST', certificatesIn(apart), certificate(name, { issuer: 'broken' }))
      await issued(scene, apart, name)
      const held = (await heldIn(scene, apart)).find((one) => one.name === name)
      assert.ok(held && verifies(held, a.pem))
      return held.bundle
    }
    assert.equal(await bundleOf('before'), a.pem)

    await cluster.must('PATCH', broken, { spec: { ca: { next: next(true) } } })
    await rolloverReason(scene, broken, 'Active')
    const enable = (enabled: boolean) =>
      vault.manage('PATCH', `keys/next/${b.key.version}`, { attributes: { enabled } })
    await enable(false)
    const kept = await rolloverReason(scene, broken, 'NextInvalid')
    assert.equal(at(conditionOf(kept, 'Ready'), 'status'), 'True')
    assert.deepEqual(rootsOf(kept), fingerprints(a, b))
    assert.equal(await bundleOf('meanwhile'), a.pem + b.pem)

    await enable(true)
    await rolledOver(scene, 'broken')
    const signed = (await heldIn(scene, apart)).filter((one) => verifies(one, b.pem))
    assert.deepEqual(signed.map(({ name }) => name).toSorted(), ['before', 'meanwhile'])
  })

  test('each once, never faster than told, with each of the rights and no other', async (t) => {
    await scene.controller.stop()
    const events = await scene.cluster.auditEvents()
    const ours = callsOfOurs(events).filter(({ resource }) => resource === 'certificates')
    const rights = ours
      .filter(isAccepted)
      .map((event) => [event.verb, event.subresource].join(' ').trim())
    assert.deepEqual([...new Set(rights)].toSorted(), ['get', 'list', 'update status', 'watch'])
    const inMesh = askedAt(ours.filter((event) => event.namespace === namespace))
    // leaf-0 was renewed by hand once.
    assert.equal(inMesh.length, 3 * (leaves.length + 1) - 1)
    const most = mostInASecond(askedAt(ours))
    t.diagnostic(`${most} issuances within a second at most, ${ratePerSecond} allowed`)
    assert.ok(most <= ratePerSecond + 1)
  })
})

/** Ready comes in one write of cert-manager, and the revision in another. */
function isIssued(object: Json): boolean {
  const isTrue = (type: string) => at(conditionOf(object, type), 'status') === 'True'
  return isTrue('Ready') && !isTrue('Issuing') && at(object, 'status', 'revision') !== undefined
}

/** The fingerprints of the roots that the status lists, in its order. */
function rootsOf(issuer: Json): readonly string[] {
  return listAt(issuer, 'status', 'ca', 'roots').map((root) => textAt(root, 'sha256'))
}

function fingerprints(...cas: readonly VaultCa[]): readonly string[] {
  return cas.flatMap(({ pem }) =>
    certificatesOf(pem).map((one) => one.fingerprint256.replaceAll(':', '').toLowerCase()),
  )
}

/** Whether some root of the bundle signed the leaf, by name and key. */
function verifies({ leaf }: Held, bundle: string): boolean {
  return certificatesOf(bundle).some(
    (root) => leaf.checkIssued(root) && leaf.verify(root.publicKey),
  )
}
