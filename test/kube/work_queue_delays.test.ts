import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { IssuerError } from '../../src/error.ts'
import type { WorkResult } from '../../src/kube/work_queue.ts'
import { FakeClock } from '../fake_clock.ts'
import { bench, done } from './queue_bench.ts'

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
