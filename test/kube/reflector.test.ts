import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import type { JsonObject } from '../../src/json.ts'
import type { KubeRequest } from '../../src/kube/client.ts'
import { metaOf, type ObjectMeta } from '../../src/kube/object_meta.ts'
import { Reflector } from '../../src/kube/reflector.ts'
import { silentLog } from '../../src/log.ts'
import { FakeClock } from '../fake_clock.ts'
import { IdleServer } from './idle_server.ts'

const hour = 3_600_000
const path = '/api/v1/configmaps'
async function idleHour(cutAfterMs: number, fraction: number) {
  const clock = new FakeClock()
  const server = new IdleServer(clock, cutAfterMs)
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => fraction }
  const stop = new AbortController()
  const reflector = new Reflector({
    client: server,
    path,
    parse: () => ({}),
    clock,
    random,
    log: silentLog,
  })
  const run = reflector.run(stop.signal)
  await clock.advance(hour)
  stop.abort()
  await run
  return { ...server.asked, failures: reflector.counts.failures }
}

for (const fraction of [0, 0.5, 0.999]) {
  test(`an idle hour of a watch, of which ${fraction} is random: one list, a watch every 5 to 10 min`, async () => {
    const { lists, watches, failures } = await idleHour(Number.POSITIVE_INFINITY, fraction)
    assert.deepEqual([lists.length, failures], [1, 0])
    assert.ok(watches.length >= 6 && watches.length <= 13, `${watches.length} watches`)
  })
}

test('an idle hour behind a load balancer that ends each connection after a minute', async () => {
  const { lists, watches, failures } = await idleHour(60_000, 0.5)
  assert.deepEqual([lists.length, failures, watches.length], [1, 0, 61])
})

/** Holds two objects, and knows of no field to select them by. */
class UnselectingServer extends IdleServer {
  readonly selectors: unknown[] = []

  override async request(request?: KubeRequest): Promise<unknown> {
    await super.request()
    this.selectors.push(request?.query?.fieldSelector)
    if (request?.query?.fieldSelector !== undefined) {
      throw new IssuerError('KubeInvalid', 'field label not supported: spec.issuerRef.name')
    }
    const items = ['mine', 'foreign'].map((name) => ({
      metadata: { name, uid: name, resourceVersion: '1' },
    }))
    return { metadata: { resourceVersion: '1' }, items }
  }
}

test('a server that cannot select by the field is asked for everything', async () => {
  const clock = new FakeClock()
  const server = new UnselectingServer(clock, hour)
  const seen: string[] = []
  const stop = new AbortController()
  const reflector = new Reflector<ObjectMeta>({
    client: server,
    path,
    fieldSelector: 'spec.issuerRef.name=mine',
    parse: (object: JsonObject) => {
      const meta = metaOf(object)
      return meta?.name === 'mine' ? meta : undefined
    },
    clock,
    random: { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 },
    log: silentLog,
    onEvent: ({ type, object }) => seen.push(`${type} ${object.name}`),
  })
  const run = reflector.run(stop.signal)
  await clock.advance(5_000)
  stop.abort()
  await run
  assert.deepEqual(server.selectors, ['spec.issuerRef.name=mine', undefined])
  assert.deepEqual(seen, ['added mine'])
})
