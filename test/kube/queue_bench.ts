import type { IssuerError } from '../../src/error.ts'
import { WorkQueue, type WorkQueueOptions, type WorkResult } from '../../src/kube/work_queue.ts'
import type { Random } from '../../src/random.ts'
import { FakeClock } from '../fake_clock.ts'

const steady: Random = { bytes: (length) => new Uint8Array(length), fraction: () => 0.5 }
export const done: WorkResult = { kind: 'done' }
export const nothing = { ready: 0, running: 0, retrying: 0, delayed: 0 }

/** A queue whose work takes time on a fake clock, and a record of when it was at which key. */
export function bench(options: Partial<WorkQueueOptions> & { workMs?: number } = {}) {
  const clock = new FakeClock()
  const stop = new AbortController()
  const started: Array<{ key: string; at: number }> = []
  const running = new Map<string, number>()
  const most = { inAll: 0, ofOneKey: 0 }
  const errors: IssuerError[] = []
  const { workMs = 10, work = async () => done, ...rest } = options
  const queue = new WorkQueue({
    name: 'test',
    concurrency: 2,
    backoff: { baseMs: 1_000, maxMs: 8_000 },
    clock,
    random: steady,
    onError: (_, error) => errors.push(error),
    ...rest,
    work: async (key, signal) => {
      started.push({ key, at: clock.monotonic() })
      running.set(key, (running.get(key) ?? 0) + 1)
      most.ofOneKey = Math.max(most.ofOneKey, running.get(key) ?? 0)
      most.inAll = Math.max(
        most.inAll,
        [...running.values()].reduce((a, b) => a + b),
      )
      try {
        if (workMs > 0) await clock.sleep(workMs, signal)
        return await work(key, signal)
      } finally {
        running.set(key, (running.get(key) ?? 0) - 1)
      }
    },
  })
  const run = queue.run(stop.signal)
  const end = async () => {
    stop.abort()
    await run
  }
  return { clock, queue, started, most, errors, stop, run, end }
}
