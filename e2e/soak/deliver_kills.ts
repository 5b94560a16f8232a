// The controller, killed 50 times at random moments of deliveries and rotations: (SEED=number)
import { startDeliveryScene } from '../product/delivery_scene.ts'
import { assertConverged, killOften } from '../product/kills.ts'

const kills = Number(process.env.KILLS ?? 50)
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
say(`SEED=${seed}`)
const controllerFlags = ['--certificate-poll-interval=1s', '--no-leader-elect']
const here = await startDeliveryScene({ controllerFlags })
try {
  const killed = await killOften(here, kills, seed)
  assertConverged(killed)
  const most = Math.max(...killed.requests.values())
  say(`${kills} kills, ${killed.requests.size} issuances, at most ${most} requests each`)
  say(`slowest ${Math.max(...killed.ms)} ms from start to delivered`)
} finally {
  await here.scene.stop()
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
