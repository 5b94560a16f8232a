import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeClient, WatchEvent } from '../../src/kube/client.ts'
import { Reflector } from '../../src/kube/reflector.ts'
import { silentLog } from '../../src/log.ts'
import { FakeClock } from '../fake_clock.ts'

const hour = 3_600_000
const path = '/api/v1/configmaps'
/** Of client-go and of the API server. */
const bookmarkMs = 60_000

/** An API server on which nothing happens; `cutAfterMs` is what a load balancer allows a watch. */
class IdleServer implements KubeClient {
  readonly server = 'memory'
  readonly namespace = undefined
  readonly asked = { lists: [] as number[], watches: [] as number[] }
  readonly #clock: FakeClock
  readonly #cutAfterMs: number

  constructor(clock: FakeClock, cutAfterMs: number) {
    this.#clock = clock
    this.#cutAfterMs = cutAfterMs
  }

  async request(): Promise<unknown> {
    this.asked.lists.push(this.#clock.monotonic())
    return { metadata: { resourceVersion: '1' }, items: [] }
  }

  async *watch(
    { query, idleTimeoutMs }: Parameters<KubeClient['watch']>[0],
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent> {
    const opened = this.#clock.monotonic()
    this.asked.watches.push(opened)
    assert.ok(idleTimeoutMs > bookmarkMs)
    const end = opened + Math.min(Number(query?.timeoutSeconds) * 1_000, this.#cutAfterMs)
    for (;;) {
      const left = end - this.#clock.monotonic()
      await this.#clock.sleep(Math.min(left, bookmarkMs), signal)
      if (left <= bookmarkMs) return
      yield { type: 'BOOKMARK', object: { metadata: { resourceVersion: '1' } } }
    }
  }

  async close(): Promise<void> {}
}

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
