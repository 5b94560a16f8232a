import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { bench, done } from './queue_bench.ts'

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
