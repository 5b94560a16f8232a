// 20 rotations of one certificate under 1,000 observations and more; then 100 Certificates on one
// Key Vault certificate, and 100 on as many, rotated at once.
import assert from 'node:assert/strict'
import { startDeliveryScene } from '../product/delivery_scene.ts'
import { assertBounded, rotateMany, rotateOften } from '../product/rotations.ts'

const here = await startDeliveryScene()
try {
  const { observer, ms } = await rotateOften(here, 'often', 20)
  assert.deepEqual(observer.faults, [])
  assert.equal(observer.writesOf('often-tls'), 21)
  assert.ok(observer.observations >= 1_000, String(observer.observations))
  const slowest = Math.round(Math.max(...ms))
  say(`20 rotations, ${observer.observations} observations, slowest ${slowest} ms`)

  const shared = await rotateMany(here, 'shared', 100, 'one')
  say(`100 on one: ${JSON.stringify(shared)}`)
  assertBounded(shared, 1, 1)
  const own = await rotateMany(here, 'own', 100, 'each its own')
  say(`100 on 100: ${JSON.stringify(own)}`)
  assertBounded(own, 100, 2)
} finally {
  await here.scene.stop()
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
