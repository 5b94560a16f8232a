import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { asObject } from '../crd/paths.ts'
import { at, conditionOf, type Json, listAt, textAt } from '../harness/json.ts'
import { until } from '../harness/until.ts'
import type { VaultVersion } from './delivered.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  leafIdOf,
} from './delivery_scene.ts'
import { Observer } from './observer.ts'
import { certificatesIn, requestsIn } from './scene.ts'
import { idOf, issued } from './tls_secret.ts'

export interface Rotated {
  readonly observer: Observer
  /** From the new version in Key Vault to the Secret, in milliseconds. */
  readonly ms: readonly number[]
}

/** Rotates one certificate again and again, while Secret and Certificate are read without pause. */
export async function rotateOften(
  here: DeliveryScene,
  name: string,
  rotations: number,
): Promise<Rotated> {
  const { scene, leaves, namespace } = here
  const { cluster } = scene
  const first = await leaves.import(scene.vault, name)
  await createDeliverIssuer(here, name)
  const observer = new Observer(scene, namespace)
  await createCertificate(here, name)
  await deliveredSecret(here, name, first)
  await issued(scene, namespace, name)

  const stop = new AbortController()
  const reading = readOn(stop.signal)
  const ms: number[] = []
  try {
    for (let rotation = 0; rotation < rotations; rotation++) {
      const from = performance.now()
      await deliveredSecret(here, name, await leaves.import(scene.vault, name))
      ms.push(performance.now() - from)
      await scene.object(`${certificatesIn(namespace)}/${name}`, 'done', (object) => {
        return at(object, 'status', 'revision') === rotation + 2
      })
    }
  } finally {
    stop.abort()
    await reading
    observer.stop()
  }
  return { observer, ms }

  async function readOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      observer.secret(
        await cluster.must('GET', `/api/v1/namespaces/${namespace}/secrets/${name}-tls`),
      )
      observer.certificate(await cluster.must('GET', `${certificatesIn(namespace)}/${name}`))
    }
  }
}

export interface ManyRotated {
  readonly ms: number
  /** Calls to the vault that it answered well in that time, by operation: `secrets/get`. */
  readonly calls: Readonly<Record<string, number>>
}

/**
 * Rotates what `count` Certificates have, all at once: one Key Vault certificate, or as many. Throws
 * unless each Secret was written once for it, with a pair that fits, and nothing ever failed.
 */
export async function rotateMany(
  here: DeliveryScene,
  prefix: string,
  count: number,
  of: 'one' | 'each its own',
): Promise<ManyRotated> {
  const { scene, leaves, namespace } = here
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
  const dnsNames = [`${prefix}.example.com`]
  const next = async (): Promise<ReadonlyMap<string, VaultVersion>> => {
    if (of === 'one') {
      const version = await leaves.import(scene.vault, prefix, { dnsNames })
      return new Map(names.map((name) => [name, version]))
    }
    const imports = names.map(async (name) => leaves.import(scene.vault, name))
    return new Map((await Promise.all(imports)).map((version) => [version.name, version]))
  }
  const first = await next()
  await createDeliverIssuer(here, prefix, of === 'one' ? [prefix] : names)
  const observer = new Observer(scene, namespace)
  const spec = of === 'one' ? { dnsNames } : {}
  await Promise.all(names.map((name) => createCertificate(here, name, { issuer: prefix, spec })))
  await allDelivered(here, first)

  await scene.vault.admin('DELETE', '/counters')
  const from = performance.now()
  await allDelivered(here, await next())
  const ms = Math.round(performance.now() - from)
  const calls = await answeredCalls(here)
  observer.stop()
  assert.deepEqual(observer.faults, [])
  for (const name of names) assert.equal(observer.writesOf(`${name}-tls`), 2, name)
  const requests = await scene.cluster.must('GET', requestsIn(namespace))
  const failed = listAt(requests, 'items').filter(
    (one) => at(conditionOf(one, 'Ready'), 'reason') === 'Failed',
  )
  assert.deepEqual(failed, [])
  return { ms, calls }
}

/**
 * Throws when the rotation cost the vault more than a reading of each secret, another where that took
 * longer than keys are kept, and the polls of the certificates, which come each second here.
 */
export function assertBounded(
  { ms, calls }: ManyRotated,
  certificates: number,
  othersPolled: number,
): void {
  const { 'secrets/get': reads = 0, 'certificates/get': polls = 0, ...others } = calls
  assert.deepEqual(others, {})
  const most = certificates * (1 + Math.floor(ms / 30_000))
  assert.ok(reads >= certificates && reads <= most, `${reads} reads of secrets in ${ms} ms`)
  const polled = certificates + othersPolled
  assert.ok(polls <= polled * (2 + ms / 900), `${polls} polls in ${ms} ms`)
}

/** Calls that the vault answered well since its counters were reset. */
async function answeredCalls({ scene }: DeliveryScene): Promise<Record<string, number>> {
  const counters = asObject(await scene.vault.admin('GET', '/counters'))
  return Object.fromEntries(
    Object.entries(counters).map(([operation, byObject]) => [
      operation,
      Object.values(asObject(byObject)).reduce<number>(
        (sum, byStatus) => sum + Number(at(byStatus, '200') ?? 0),
        0,
      ),
    ]),
  )
}

/**
 * Once each Certificate is Ready, issues nothing, and has the version of its name in its Secret. By
 * two lists a look: a hundred single looks at once would be what slows the cluster down.
 */
export async function allDelivered(
  { scene, namespace }: DeliveryScene,
  versions: ReadonlyMap<string, VaultVersion>,
): Promise<void> {
  const { cluster } = scene
  let missing: readonly string[] = []
  const look = async () => {
    await delay(250)
    const secrets = await cluster.must('GET', `/api/v1/namespaces/${namespace}/secrets`)
    const certificates = await cluster.must('GET', certificatesIn(namespace))
    const leaves = new Map(listAt(secrets, 'items').map((one) => [nameOf(one), leafIdOf(one)]))
    const settled = new Set(listAt(certificates, 'items').filter(isSettled).map(nameOf))
    missing = [...versions].flatMap(([name, { leaf }]) =>
      settled.has(name) && leaves.get(`${name}-tls`) === idOf(leaf) ? [] : [name],
    )
    return missing.length === 0
  }
  await until('all delivered', look, 120_000).catch((cause: unknown) => {
    throw new Error(`not delivered: ${missing.join(' ')}\n${scene.evidence(null)}`, { cause })
  })
}

function isSettled(certificate: Json): boolean {
  const status = (type: string) => at(conditionOf(certificate, type), 'status')
  return status('Ready') === 'True' && status('Issuing') !== 'True'
}

function nameOf(object: Json): string {
  return textAt(object, 'metadata', 'name')
}
