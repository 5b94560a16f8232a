import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { IssuerError } from '../../src/error.ts'
import { WorkQueue, type WorkQueueOptions, type WorkResult } from '../../src/kube/work_queue.ts'
import type { Random } from '../../src/random.ts'
import { FakeClock } from '../fake_clock.ts'

const steady: Random = { bytes: (length) => new Uint8Array(length), fraction: () => 0.5 }
const done: WorkResult = { kind: 'done' }
const nothing = { ready: 0, running: 0, retrying: 0, delayed: 0 }

/** A queue whose work takes time on a fake clock, and a record of when it was at which key. */
function bench(options: Partial<WorkQueueOptions> & { workMs?: number } = {}) {
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

test('a key added many times while it waits is worked on once, in the order of adding', async () => {
  const { clock, queue, started, end } = bench({ concurrency: 1 })
  for (const key of ['a', 'b', 'a', 'c', 'b', 'c']) queue.add(key)
  await clock.advance(100)
  assert.deepEqual(
    started.map(({ key }) => key),
    ['a', 'b', 'c'],
  )
  await end()
})

test('a key added while it is worked on is worked on once more after', async () => {
  const { clock, queue, started, most, end } = bench()
  queue.add('a')
  await clock.advance(5)
  for (let i = 0; i < 3; i++) queue.add('a')
  await clock.advance(100)
  assert.deepEqual(started, [
    { key: 'a', at: 0 },
    { key: 'a', at: 10 },
  ])
  assert.equal(most.ofOneKey, 1)
  await end()
})

test('work may add its own key before it first waits', async () => {
  let times = 0
  const { clock, queue, started, most, end } = bench({
    workMs: 0,
    work: async (key) => {
      if (++times < 3) queue.add(key)
      return done
    },
  })
  queue.add('a')
  await clock.advance(1)
  assert.deepEqual([started.length, most.ofOneKey], [3, 1])
  await end()
})

test('of several delays the earliest is kept', async () => {
  const { clock, queue, started, end } = bench()
  queue.addAfter('a', 500)
  queue.addAfter('a', 200)
  queue.addAfter('a', 900)
  await clock.advance(2_000)
  assert.deepEqual(started, [{ key: 'a', at: 200 }])
  await end()
})

/** Fires at once where `setTimeout` does: beyond 2^31 - 1 ms. */
class OverflowingClock extends FakeClock {
  override after(ms: number, callback: () => void): () => void {
    return super.after(ms > 2 ** 31 - 1 ? 1 : ms, callback)
  }
}

test('a delay of months does not fire at once', async () => {
  const clock = new OverflowingClock()
  const { queue, started, end } = bench({ clock, workMs: 0 })
  queue.addAfter('a', 90 * 86_400_000)
  await clock.advance(3_600_000)
  assert.deepEqual(started, [])
  await end()
})

test('retries back off, and start anew after a success', async () => {
  const results: WorkResult[] = [
    { kind: 'retry' },
    { kind: 'retry' },
    { kind: 'retry', afterMs: 30_000 },
    { kind: 'after', ms: 100 },
    { kind: 'retry' },
    done,
  ]
  const { clock, queue, started, end } = bench({
    workMs: 0,
    work: async () => results.shift() ?? done,
  })
  queue.add('a')
  await clock.advance(60_000)
  // Half random, here 0.5: three quarters of 1, 2 and 4 s; the third had to wait 30 s.
  assert.deepEqual(
    started.map(({ at }) => at),
    [0, 750, 2_250, 32_250, 32_350, 33_100],
  )
  await end()
})

test('what work throws is told, and is a retry no sooner than asked', async () => {
  const throttled = new IssuerError('VaultThrottled', 'slow down', { retryAfterMs: 5_000 })
  let first = true
  const { clock, queue, started, errors, end } = bench({
    workMs: 0,
    work: async () => {
      if (!first) return done
      first = false
      throw throttled
    },
  })
  queue.add('a')
  await clock.advance(10_000)
  assert.deepEqual(
    started.map(({ at }) => at),
    [0, 5_000],
  )
  assert.deepEqual(errors, [throttled])
  await end()
})

test('a forgotten key is not worked on, and its failures are forgotten', async () => {
  const { clock, queue, started, end } = bench({ workMs: 0, work: async () => ({ kind: 'retry' }) })
  queue.add('a')
  await clock.advance(0)
  queue.forget('a')
  queue.addAfter('b', 10)
  queue.forget('b')
  await clock.advance(10_000)
  assert.deepEqual(started, [{ key: 'a', at: 0 }])
  assert.deepEqual(queue.counts, nothing)
  await end()
})

test('lanes take turns: a lane with much to do does not hold up another', async () => {
  const { clock, queue, started, end } = bench({ concurrency: 1, lane: (key) => key.slice(0, 1) })
  for (let i = 0; i < 100; i++) queue.add(`a${i}`)
  for (const key of ['b0', 'b1', 'c0']) queue.add(key)
  await clock.advance(65)
  assert.deepEqual(
    started.map(({ key }) => key),
    ['a0', 'a1', 'b0', 'c0', 'a2', 'b1', 'a3'],
  )
  await end()
})

test('a slow lane takes no more than its share of the workers', async () => {
  const { clock, queue, started, end } = bench({
    concurrency: 4,
    laneConcurrency: 2,
    lane: (key) => key.slice(0, 1),
    work: (key, signal) =>
      key.startsWith('a') ? clock.sleep(1e6, signal).then(() => done) : Promise.resolve(done),
  })
  for (let i = 0; i < 10; i++) queue.add(`a${i}`)
  for (let i = 0; i < 10; i++) queue.add(`b${i}`)
  await clock.advance(1_000)
  const of = (lane: string) => started.filter(({ key }) => key.startsWith(lane)).length
  assert.deepEqual([of('a'), of('b')], [2, 10])
  await end()
})

test('says for how long the work longest under way has been at it', async () => {
  const { clock, queue, end } = bench({ workMs: 1_000 })
  assert.equal(queue.longestMs, 0)
  queue.add('a')
  await clock.advance(300)
  queue.add('b')
  await clock.advance(400)
  assert.equal(queue.longestMs, 700)
  await clock.advance(300)
  assert.equal(queue.longestMs, 700)
  await clock.advance(300)
  assert.equal(queue.longestMs, 0)
  await end()
})

test('counts each key in one state, whatever else is planned for it', async () => {
  const { clock, queue, end } = bench({
    concurrency: 1,
    work: async (key) => (key === 'fails' ? { kind: 'retry' } : done),
  })
  for (const key of ['fails', 'runs', 'waits']) queue.add(key)
  queue.addAfter('waits', 60_000)
  queue.addAfter('runs', 60_000)
  queue.addAfter('later', 60_000)
  await clock.advance(15)
  assert.deepEqual(queue.counts, { ready: 1, running: 1, retrying: 1, delayed: 1 })
  await clock.advance(20)
  assert.deepEqual(queue.counts, { ready: 0, running: 0, retrying: 1, delayed: 3 })
  await end()
})

test('a stop starts nothing more and waits for what runs', async () => {
  let settled = false
  const { clock, queue, started, stop, run } = bench({
    concurrency: 1,
    workMs: 0,
    work: async () => {
      await clock.sleep(50, new AbortController().signal)
      settled = true
      return { kind: 'after', ms: 1 }
    },
  })
  queue.add('a')
  queue.add('b')
  queue.addAfter('c', 10)
  await clock.advance(5)
  stop.abort()
  const ended = run.then(() => settled)
  queue.add('d')
  await clock.advance(1_000)
  assert.equal(await ended, true)
  assert.deepEqual(started, [{ key: 'a', at: 0 }])
  assert.equal(clock.pending, 0)
})

const step = fc.record({
  key: fc.constantFrom('a1', 'a2', 'a3', 'b1', 'b2', 'c1'),
  delay: fc.option(fc.nat(300)),
  pause: fc.nat(40),
})
const outcome = fc.constantFrom<'done' | 'retry' | 'after' | 'throw'>(
  'done',
  'retry',
  'after',
  'throw',
)

test('any sequence: one key at a time, none lost, back-off within bounds, limits kept', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step), fc.array(outcome), fc.nat(30), async (steps, plan, workMs) => {
      const retries: Array<{ key: string; at: number }> = []
      const outcomes = [...plan]
      const { clock, queue, started, most, end } = bench({
        concurrency: 3,
        laneConcurrency: 2,
        workMs,
        lane: (key) => key.slice(0, 1),
        work: async (key) => {
          const next = outcomes.shift() ?? 'done'
          if (next === 'done') return done
          if (next === 'after') return { kind: 'after', ms: 70 }
          retries.push({ key, at: clock.monotonic() })
          if (next === 'throw') throw new Error('failed')
          return { kind: 'retry' }
        },
      })
      const wishes: Array<{ key: string; startsBefore: number }> = []
      for (const { key, delay, pause } of steps) {
        wishes.push({ key, startsBefore: started.length })
        if (delay === null) queue.add(key)
        else queue.addAfter(key, delay)
        await clock.advance(pause)
      }
      await clock.advance(100_000)

      assert.ok(most.ofOneKey <= 1 && most.inAll <= 3)
      assert.deepEqual(queue.counts, nothing)
      for (const { key, startsBefore } of wishes) {
        const served = started.slice(startsBefore).some((start) => start.key === key)
        assert.ok(served, `${key} was not worked on after its wish`)
      }
      for (const { key, at } of retries) {
        const again = started.find((start) => start.key === key && start.at > at)
        // Six keys in all: each may be ahead of it once, and once more with its other work.
        assert.ok(again && again.at <= at + 8_000 + 12 * workMs, `${key} after ${at}`)
      }
      await end()
      assert.equal(clock.pending, 0)
    }),
    { numRuns: 60 },
  )
})

test('any backlog: a lane waits for no more than one key of each other lane', async () => {
  const backlog = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(backlog, fc.integer({ min: 1, max: 4 }), async (lanes, concurrency) => {
      const { clock, queue, started, end } = bench({ concurrency, lane: (key) => key.slice(0, 1) })
      const keys = lanes.map((lane, index) => `${lane}${index}`)
      for (const key of keys) queue.add(key)
      await clock.advance(10_000)

      const order = started.map(({ key }) => key)
      assert.deepEqual([...order].sort(), [...keys].sort(), 'each once')
      for (const lane of new Set(lanes)) {
        const own = keys.filter((key) => key.startsWith(lane))
        assert.deepEqual(
          order.filter((key) => key.startsWith(lane)),
          own,
          'in the order of adding',
        )
        const turns = own.map((key) => order.indexOf(key))
        const others = new Set(lanes).size - 1
        // The first ones start before all lanes are known.
        const gaps = turns.slice(1).map((turn, index) => turn - (turns[index] ?? 0))
        const first = turns[0] ?? 0
        assert.ok(first <= concurrency + others, `${lane} began after ${first} others`)
        assert.ok(Math.max(0, ...gaps) <= concurrency + others, `${lane}: gaps ${gaps}`)
      }
      await end()
    }),
    { numRuns: 60 },
  )
})

test('any failures: the delay doubles to its limit, and starts anew after a success', async () => {
  const results = fc.array(fc.constantFrom('retry', 'throw', 'done'), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(results, async (plan) => {
      const outcomes = [...plan]
      const { clock, queue, started, end } = bench({
        workMs: 0,
        work: async () => {
          const next = outcomes.shift()
          if (next === 'throw') throw new Error('failed')
          if (next === undefined) return done
          return next === 'retry' ? { kind: 'retry' } : { kind: 'after', ms: 50 }
        },
      })
      queue.add('a')
      await clock.advance(200_000)
      let failures = 0
      for (const [index, result] of plan.entries()) {
        failures = result === 'done' ? 0 : failures + 1
        // The upper half is random, here 0.5.
        const expected = failures === 0 ? 50 : 0.75 * Math.min(8_000, 1_000 * 2 ** (failures - 1))
        const waited = (started[index + 1]?.at ?? 0) - (started[index]?.at ?? 0)
        assert.equal(waited, expected, `after ${index + 1} of ${plan}`)
      }
      await end()
    }),
    { numRuns: 60 },
  )
})
