import { test } from 'node:test'
import { startDeliveryScene } from './product/delivery_scene.ts'
import { assertConverged, killOften } from './product/kills.ts'

// e2e/soak/deliver_kills.ts does the same 50 times.
test('killed at random moments of deliveries and rotations, it brings each to its end', async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  t.diagnostic(`SEED=${seed}`)
  const controllerFlags = ['--certificate-poll-interval=1s', '--no-leader-elect']
  const here = await startDeliveryScene({ controllerFlags })
  try {
    const killed = await killOften(here, 5, seed)
    t.diagnostic(`ms from start to delivered ${killed.ms.join(' ')}`)
    assertConverged(killed)
  } finally {
    await here.scene.stop()
  }
})
