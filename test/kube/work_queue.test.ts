import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { bench, done, nothing } from './queue_bench.ts'

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
