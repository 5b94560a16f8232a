import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBucket } from '../../src/event_grid/token_bucket.ts'
import { FakeClock } from '../fake_clock.ts'

test('a burst is let through, then the rate', async () => {
  const clock = new FakeClock()
  const bucket = new TokenBucket(clock, { perSecond: 10, burst: 5 })
  assert.deepEqual([bucket.take(3), bucket.take(2), bucket.take(1)], [0, 0, 100])
  await clock.advance(100)
  assert.deepEqual([bucket.take(1), bucket.take(2)], [0, 200])
  await clock.advance(60_000)
  assert.deepEqual([bucket.take(5), bucket.take(1)], [0, 100])
})
