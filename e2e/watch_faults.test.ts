import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from './harness/cluster.ts'
import { startCluster } from './harness/start_cluster.ts'
import { until } from './harness/until.ts'
import {
  answer,
  anyOf,
  cutInsideChunk,
  expired,
  expiredEvent,
  once,
  resets,
  saysAndEnds,
  swallowed,
} from './relay/faults.ts'
import { Followed, type FollowOptions, prepareRelays, type RelayGround } from './relay/followed.ts'
import { assertRecovers, type RecoveryOptions } from './relay/recovery.ts'
import type { Fault } from './relay/relay.ts'
import type { RelayedWatch } from './relay/relayed_watch.ts'
import { Writer } from './relay/writer.ts'

let cluster: Cluster
let ground: RelayGround

before(async () => {
  cluster = await startCluster({ certManager: false })
  ground = await prepareRelays(cluster)
})
after(() => cluster?.stop())

interface FaultCase extends RecoveryOptions {
  readonly name: string
  /** What happens to the watch that is open when the fault begins. Default: a clean end. */
  readonly first?: (watch: RelayedWatch) => void
  /** What becomes of requests until the fault ends. */
  readonly fault?: Fault
  readonly forMs: number
  readonly options?: FollowOptions
}

const idle = { idleTimeoutMs: 3_000 }
const quietList = { listTimeoutMs: 2_000 }
const expiredWatch = answer('watch', 410, expired)

const faults: readonly FaultCase[] = [
  { name: 'a clean close', forMs: 0, fails: false },
  { name: 'quiet closes, one after the other', fault: saysAndEnds(''), forMs: 4_000, fails: false },
  { name: '410 as a status', fault: expiredWatch, forMs: 4_000, fails: true },
  { name: '410 as an ERROR event', fault: saysAndEnds(expiredEvent), forMs: 4_000, fails: true },
  { name: 'an RST', first: (watch) => watch.reset(), forMs: 0, fails: true },
  {
    name: 'RSTs, one after the other',
    first: (watch) => watch.reset(),
    fault: resets('watch'),
    forMs: 3_000,
    fails: true,
  },
  {
    name: 'a FIN inside a chunk',
    first: (watch) => watch.cutInsideChunk(),
    forMs: 0,
    fails: true,
  },
  {
    name: 'FINs inside a chunk, one after the other',
    first: (watch) => watch.cutInsideChunk(),
    fault: cutInsideChunk('watch', '{"type":"ADDED","object":{"meta'),
    forMs: 3_000,
    fails: true,
  },
  { name: '500 on watch', fault: answer('watch', 500, 'boom'), forMs: 4_000, fails: true },
  {
    name: '500 on list and on watch',
    fault: anyOf(answer('watch', 500, 'boom'), answer('list', 500, 'boom')),
    forMs: 6_000,
    fails: true,
  },
  {
    name: '429 with Retry-After on watch',
    fault: answer('watch', 429, 'later', { 'retry-after': '1' }),
    forMs: 3_000,
    fails: true,
  },
  {
    name: 'a list broken off half-way',
    fault: anyOf(expiredWatch, cutInsideChunk('list', '{"kind":"ConfigMapList","items":[')),
    forMs: 4_000,
    fails: true,
  },
  {
    name: 'a half-open connection',
    first: (watch) => watch.freeze(),
    forMs: 0,
    fails: true,
    options: idle,
    limitMs: idle.idleTimeoutMs,
  },
  {
    name: 'headers of the watch never sent',
    fault: swallowed('watch'),
    forMs: 4_000,
    fails: false,
  },
  {
    name: 'a silent list',
    fault: anyOf(expiredWatch, swallowed('list')),
    forMs: 4_000,
    fails: true,
    options: quietList,
    limitMs: quietList.listTimeoutMs,
  },
  {
    name: 'a malformed line',
    fault: saysAndEnds('{"type":"ADDED","object\n'),
    forMs: 3_000,
    fails: true,
  },
  {
    name: 'a line that is JSON and no event',
    fault: saysAndEnds('{"type":"GONE","object":{}}\n'),
    forMs: 3_000,
    fails: true,
  },
]

describe('faults of the network', { concurrency: 6 }, () => {
  for (const { name, first, fault, forMs, options, ...recovery } of faults) {
    test(name, async (t) => {
      const [followed, writer] = await follow(t, options)
      followed.relay.fault = fault
      for (const watch of followed.relay.watches) (first ?? ((open) => open.end()))(watch)
      await delay(forMs)
      followed.relay.fault = undefined
      await assertRecovers(t, followed, writer, recovery)
    })
  }

  test('a handler that throws', async (t) => {
    let isFaulty = false
    let thrown = 0
    const onEvent = () => {
      if (!isFaulty) return
      thrown++
      throw new Error('the handler failed')
    }
    const [followed, writer] = await follow(t, { onEvent })
    isFaulty = true
    await delay(500)
    for (const watch of followed.relay.watches) watch.end()
    followed.relay.fault = once(expiredWatch)
    await delay(1_500)
    await until('it has thrown often', () => thrown > 10)
    isFaulty = false
    await assertRecovers(t, followed, writer, { fails: true })
    assert.equal(followed.reflector.counts.failures, 1, 'the 410, and no handler')
  })

  for (const kind of ['list', 'watch'] as const) {
    test(`a stop while a ${kind} is under way: nothing is told or asked after it`, async (t) => {
      const [followed, writer] = await follow(t)
      const { relay } = followed
      relay.fault = anyOf(...(kind === 'list' ? [expiredWatch] : []), swallowed(kind))
      for (const watch of relay.watches) watch.end()
      const asked = relay.asked[kind].length
      await until('it is under way', () => relay.asked[kind].length > asked)
      const stopped = performance.now()
      await followed.end()
      const tookMs = performance.now() - stopped
      const last = { told: followed.mirror.told, watches: relay.asked.watch.length }
      relay.fault = undefined
      await delay(2_000)
      await writer.stop()
      assert.deepEqual({ told: followed.mirror.told, watches: relay.asked.watch.length }, last)
      assert.ok(tookMs < 1_000, `stopped after ${tookMs} ms`)
      assert.deepEqual(relay.watches, [])
    })
  }
})

// By itself, for its load would be felt by the others.
test('a watch that ends again and again under a burst', async (t) => {
  const [followed, writer] = await follow(t)
  const { relay, reflector, namespace } = followed
  const end = setInterval(() => {
    for (const watch of relay.watches) watch.endAfterLines(50)
  }, 5)
  t.after(() => clearInterval(end))
  const names = Array.from({ length: 1_000 }, (_, i) => `burst-${i}`)
  await Promise.all(
    names.map((name) => cluster.must('POST', followed.collection, { metadata: { name } })),
  )
  clearInterval(end)
  await assertRecovers(t, followed, writer, { fails: false })
  assert.ok(names.every((name) => reflector.byName(namespace, name)))
  assert.ok(relay.asked.watch.length > 5, `${relay.asked.watch.length} watches`)
  assert.equal(reflector.counts.lists, 1)
})

/** With writes going on, some of which it has told of. */
async function follow(t: TestContext, options?: FollowOptions): Promise<[Followed, Writer]> {
  const followed = await Followed.start(ground, { pageSize: 5, ...options })
  const writer = new Writer(cluster, followed.namespace)
  t.after(async () => {
    await writer.stop()
    await followed.stop()
  })
  await until('the first events', () => followed.mirror.told > 5)
  return [followed, writer]
}
