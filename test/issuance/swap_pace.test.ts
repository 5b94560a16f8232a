import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SwapPace } from '../../src/issuance/swap_pace.ts'
import { FakeClock } from '../fake_clock.ts'

test('three swaps are free; from then on each takes twice as long, up to 5 min', async () => {
  const clock = new FakeClock()
  const pace = new SwapPace(clock)
  const pauses: number[] = []
  for (let swap = 0; swap < 12; swap++) {
    const ms = pace.pauseMs('a')
    pauses.push(ms / 1_000)
    await clock.advance(ms)
    assert.equal(pace.pauseMs('a'), 0)
    pace.swapped('a')
  }
  assert.deepEqual(pauses, [0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300])
})

test('one Certificate slows down no other, and itself no more once an issuance went well', () => {
  const pace = new SwapPace(new FakeClock())
  for (let swap = 0; swap < 5; swap++) pace.swapped('a')
  assert.equal(pace.pauseMs('a'), 8_000)
  assert.equal(pace.pauseMs('b'), 0)
  pace.forget('a')
  assert.equal(pace.pauseMs('a'), 0)
})
