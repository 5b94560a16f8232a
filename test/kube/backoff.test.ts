import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { backoffMs } from '../../src/kube/backoff.ts'
import type { Random } from '../../src/random.ts'

const at = (fraction: number): Random => ({
  bytes: (length) => new Uint8Array(length),
  fraction: () => fraction,
})

test('doubles up to the limit, of which the upper half is random', () => {
  const bounds = { baseMs: 100, maxMs: 1_000 }
  const lowest = [1, 2, 3, 4, 5, 6, 1e9].map((failures) => backoffMs(failures, bounds, at(0)))
  assert.deepEqual(lowest, [50, 100, 200, 400, 500, 500, 500])
})

test('stays within its bounds for any number of failures', async () => {
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  await fc.assert(
    fc.property(fc.nat(), fraction, (failures, value) => {
      const ms = backoffMs(failures, { baseMs: 250, maxMs: 1_500 }, at(value))
      assert.ok(ms >= 125 && ms <= 1_500, `${ms}`)
    }),
  )
})
