import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type DeliveryScene, startDeliveryScene } from './product/delivery_scene.ts'
import { rotateMany, rotateOften } from './product/rotations.ts'

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

  test('of many Certificates on one: all have the new version, the secret is hardly read', async (t) => {
    const { ms, secretReads } = await rotateMany(here, 'shared', 40, 'one')
    t.diagnostic(`${ms} ms, ${secretReads} reads of the secret`)
    // What was read is kept for 30 s.
    assert.ok(secretReads <= 1 + ms / 30_000, String(secretReads))
  })

  test('of many different ones at once: all have theirs, each secret is read once', async (t) => {
    const { ms, secretReads } = await rotateMany(here, 'own', 15, 'each its own')
    t.diagnostic(`${ms} ms, ${secretReads} reads of secrets`)
    assert.equal(secretReads, 15)
  })
})
