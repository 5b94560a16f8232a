import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeRequest } from '../../src/kube/client.ts'
import { metaOf, type ObjectMeta } from '../../src/kube/object_meta.ts'
import { ReflectorSet } from '../../src/kube/reflector_set.ts'
import { silentLog } from '../../src/log.ts'
import { FakeClock } from '../fake_clock.ts'
import { IdleServer } from './idle_server.ts'

/** In each collection there is one object, named after it. */
class OneEachServer extends IdleServer {
  override async request(request?: KubeRequest): Promise<unknown> {
    await super.request(request)
    const name = request?.path.slice(1)
    return {
      metadata: { resourceVersion: '1' },
      items: [{ metadata: { name, uid: name, resourceVersion: '1' } }],
    }
  }
}

/** A set that runs from `begin` on, and a record of what it told. */
function bench() {
  const clock = new FakeClock()
  const server = new OneEachServer(clock, Number.POSITIVE_INFINITY)
  const told: string[] = []
  const stop = new AbortController()
  const set = new ReflectorSet<ObjectMeta>({
    kube: server,
    clock,
    random: { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 },
    log: silentLog,
    onEvent: (type, { name }, key) => told.push(`${type} ${name} of ${key}`),
    onSynced: (key) => told.push(`synced ${key}`),
  })
  const follow = (key: string) => set.follow(key, { path: `/${key}`, parse: metaOf })
  const begin = () => set.run(stop.signal)
  return { clock, server, set, told, stop, follow, begin }
}

test('what is followed before the run starts with it, and what is followed later at once', async () => {
  const { clock, told, stop, follow, begin } = bench()
  follow('a')
  await clock.advance(1_000)
  assert.deepEqual(told, [])
  const run = begin()
  await clock.advance(1_000)
  assert.deepEqual(told, ['added a of a', 'synced a'])
  follow('b')
  await clock.advance(1_000)
  assert.deepEqual(told.slice(2), ['added b of b', 'synced b'])
  stop.abort()
  await run
  assert.equal(clock.pending, 0)
})

test('a key that is followed is left as it is', async () => {
  const { clock, server, set, stop, follow, begin } = bench()
  const run = begin()
  follow('a')
  const before = set.get('a')
  await clock.advance(1_000)
  follow('a')
  await clock.advance(5_000)
  assert.deepEqual([server.asked.lists.length, set.get('a')], [1, before])
  stop.abort()
  await run
})

test('of what is unfollowed all is deleted, its watch ends, and nothing is told after', async () => {
  const { clock, set, told, stop, follow, begin } = bench()
  const run = begin()
  follow('a')
  await clock.advance(1_000)
  set.unfollow('a')
  assert.deepEqual(told, ['added a of a', 'synced a', 'deleted a of a'])
  assert.equal(set.get('a'), undefined)
  await clock.advance(1_000)
  assert.equal(clock.pending, 0, 'the watch has ended')
  set.unfollow('a')
  assert.equal(told.length, 3)
  stop.abort()
  await run
})

test('unfollowed before its first list, a key is never told of; followed again, it begins anew', async () => {
  const { clock, server, set, told, stop, follow, begin } = bench()
  const run = begin()
  follow('a')
  set.unfollow('a')
  await clock.advance(5_000)
  assert.deepEqual(told, [])
  follow('a')
  await clock.advance(5_000)
  assert.deepEqual([told, server.asked.lists.length], [['added a of a', 'synced a'], 2])
  stop.abort()
  await run
})

test('after the stop nothing is started', async () => {
  const { clock, server, stop, follow, begin } = bench()
  const run = begin()
  stop.abort()
  await run
  follow('a')
  await clock.advance(5_000)
  assert.deepEqual(server.asked.lists, [])
})
