import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Cluster } from './harness/cluster.ts'
import { until } from './harness/until.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  startDeliveryScene,
} from './product/delivery_scene.ts'
import { assertBounded, rotateMany, rotateOften } from './product/rotations.ts'
import { issued } from './product/tls_secret.ts'

// e2e/soak/deliver_rotations.ts does the same with larger numbers.
describe('rotations in Key Vault', () => {
  let here: DeliveryScene
  before(async () => {
    here = await startDeliveryScene()
  })
  after(() => here?.scene.stop())

  test('each is one write to the Secret; at no time a wrong pair, or not Ready', async (t) => {
    const { observer, ms } = await rotateOften(here, 'often', 5)
    t.diagnostic(`${observer.observations} observations; ms ${ms.map(Math.round).join(' ')}`)
    assert.deepEqual(observer.faults, [])
    assert.equal(observer.writesOf('often-tls'), 6)
    // The poll comes each second here.
    assert.ok(Math.max(...ms) < 5_000, String(ms))
  })

  test('of 20 Certificates on one: all have the new version, whose secret is read once', async (t) => {
    const rotated = await rotateMany(here, 'shared', 20, 'one')
    t.diagnostic(JSON.stringify(rotated))
    // The issuer of the test before is polled, too.
    assertBounded(rotated, 1, 1)
  })

  test('of 20 different ones at once: all have theirs, and each secret is read once', async (t) => {
    const rotated = await rotateMany(here, 'own', 20, 'each its own')
    t.diagnostic(JSON.stringify(rotated))
    assertBounded(rotated, 20, 2)
  })

  // Last: the cluster keeps the older CRDs.
  test('with a cert-manager before 1.20, which cannot select by issuer, they are followed, too', async () => {
    const { scene, leaves, namespace } = here
    await forgetSelectableFields(scene.cluster)
    const first = await leaves.import(scene.vault, 'older')
    await createDeliverIssuer(here, 'older')
    await createCertificate(here, 'older')
    await deliveredSecret(here, 'older', first)
    await issued(scene, namespace, 'older')
    await deliveredSecret(here, 'older', await leaves.import(scene.vault, 'older'))
    // Those whose watch ended by the change of the CRD go on.
    await deliveredSecret(here, 'often', await leaves.import(scene.vault, 'often'))
  })
})

/** Makes the CRDs of cert-manager what they were before 1.20. */
async function forgetSelectableFields(cluster: Cluster): Promise<void> {
  for (const plural of ['certificates', 'certificaterequests']) {
    await cluster.must(
      'PATCH',
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.cert-manager.io`,
      [{ op: 'remove', path: '/spec/versions/0/selectableFields' }],
      { contentType: 'application/json-patch+json' },
    )
    await until(`${plural} not selectable`, async () => {
      const query = 'fieldSelector=spec.issuerRef.name%3Dolder'
      const { code } = await cluster.api('GET', `/apis/cert-manager.io/v1/${plural}?${query}`)
      return code === 400
    })
  }
}
