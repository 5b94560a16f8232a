import assert from 'node:assert/strict'
import type { KubeClient, KubeRequest, WatchEvent } from '../../src/kube/client.ts'
import type { FakeClock } from '../fake_clock.ts'

/** Of client-go and of the API server. */
const bookmarkMs = 60_000

/** An API server on which nothing happens; `cutAfterMs` is what a load balancer allows a watch. */
export class IdleServer implements KubeClient {
  readonly server = 'memory'
  readonly namespace = undefined
  readonly asked = { lists: [] as number[], watches: [] as number[] }
  readonly #clock: FakeClock
  readonly #cutAfterMs: number

  constructor(clock: FakeClock, cutAfterMs: number) {
    this.#clock = clock
    this.#cutAfterMs = cutAfterMs
  }

  async request(_request?: KubeRequest): Promise<unknown> {
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
