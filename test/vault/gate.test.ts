import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Gate } from '../../src/vault/gate.ts'

const never = new AbortController().signal

test('no more than the limit are in at once, and they come in the order they asked', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 40 }),
      async (limit, count) => {
        const gate = new Gate(limit)
        const entered: number[] = []
        let inside = 0
        let most = 0
        await Promise.all(
          Array.from({ length: count }, (_, i) =>
            gate.through(never, async () => {
              entered.push(i)
              most = Math.max(most, ++inside)
              await new Promise((resolve) => setImmediate(resolve))
              inside--
            }),
          ),
        )
        assert.deepEqual(
          entered,
          Array.from({ length: count }, (_, i) => i),
        )
        assert.equal(most, Math.min(limit, count))
      },
    ),
    { numRuns: 50 },
  )
})

test('a failure inside gives the place back', async () => {
  const gate = new Gate(1)
  await assert.rejects(
    gate.through(never, () => Promise.reject(new Error('no'))),
    /no/,
  )
  assert.equal(await gate.through(never, () => Promise.resolve('in')), 'in')
})

test('who gives up while waiting is neither let in nor in the way', async () => {
  const gate = new Gate(1)
  const held = Promise.withResolvers<void>()
  const first = gate.through(never, () => held.promise)
  const leaving = new AbortController()
  let ran = false
  const second = gate.through(leaving.signal, () => {
    ran = true
    return Promise.resolve()
  })
  const third = gate.through(never, () => Promise.resolve('third'))
  leaving.abort(new Error('gave up'))
  await assert.rejects(second, /gave up/)
  held.resolve()
  await first
  assert.equal(await third, 'third')
  assert.equal(ran, false)
  assert.equal(gate.waiting, 0)
})
