import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../../test/seeded_random.ts'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import type { VaultVersion } from './delivered.ts'
import { createCertificate, createDeliverIssuer, type DeliveryScene } from './delivery_scene.ts'
import { Observer } from './observer.ts'
import { allDelivered } from './rotations.ts'
import { requestsIn } from './scene.ts'

/** A delivery is over after so long where nothing is slow. */
const longestMs = 1_500

export interface KilledOften {
  readonly observer: Observer
  /** Requests of each issuance, as `CERTIFICATE REVISION`. */
  readonly requests: ReadonlyMap<string, number>
  /** What requests were shown, but for answers that went well. */
  readonly told: ReadonlySet<string>
  /** From each start of the controller until all was delivered, in milliseconds. */
  readonly ms: readonly number[]
}

/**
 * Kills the controller again and again, each time at a random moment of a first delivery and of a
 * rotation, and waits for what both must come to.
 */
export async function killOften(
  here: DeliveryScene,
  kills: number,
  seed: number,
): Promise<KilledOften> {
  const { scene, leaves, namespace } = here
  const random = seededRandom(seed)
  const names = Array.from({ length: kills }, (_, index) => `killed-${index}`)
  const current = new Map<string, VaultVersion>()
  const renew = async (name: string) => {
    current.set(name, await leaves.import(scene.vault, name))
  }
  const observer = new Observer(scene, namespace)
  const { requests, told } = countRequests(here)
  const imports = names.map(async (name) => leaves.import(scene.vault, name))
  const first = new Map((await Promise.all(imports)).map((version) => [version.name, version]))
  await renew('killed')
  await createDeliverIssuer(here, 'killed', ['killed', ...names])
  await createCertificate(here, 'killed')
  await allDelivered(here, current)

  const ms: number[] = []
  for (const [name, version] of first) {
    const rotated = [...current.keys()][Math.floor(random.fraction() * current.size)] ?? 'killed'
    await Promise.all([createCertificate(here, name, { issuer: 'killed' }), renew(rotated)])
    current.set(name, version)
    await delay(random.fraction() * longestMs)
    await scene.controller.kill()
    const from = performance.now()
    await scene.controller.start()
    await allDelivered(here, current)
    ms.push(Math.round(performance.now() - from))
  }
  observer.stop()
  return { observer, requests, told, ms }
}

/** Each issuance took three requests at most; at no time a wrong pair, or not Ready. */
export function assertConverged({ observer, requests, told }: KilledOften): void {
  assert.deepEqual(observer.faults, [])
  assert.deepEqual(
    [...requests].filter(([, count]) => count > 3),
    [],
  )
  assert.deepEqual([...told], [])
}

function countRequests({ scene, namespace }: DeliveryScene) {
  const requests = new Map<string, number>()
  const told = new Set<string>()
  const seen = new Set<string>()
  scene.cluster.watch(requestsIn(namespace), ({ object }) => {
    const ready = conditionOf(object, 'Ready')
    if (ready !== undefined && at(ready, 'reason') !== 'Issued') {
      told.add(`${textAt(ready, 'reason')}: ${textAt(ready, 'message')}`)
    }
    const uid = textAt(object, 'metadata', 'uid')
    if (seen.has(uid)) return
    seen.add(uid)
    const issuance = issuanceOf(object)
    requests.set(issuance, (requests.get(issuance) ?? 0) + 1)
  })
  return { requests, told }
}

function issuanceOf(request: Json): string {
  const annotation = (name: string) =>
    textAt(request, 'metadata', 'annotations', `cert-manager.io/${name}`)
  return `${annotation('certificate-name')} ${annotation('certificate-revision')}`
}
