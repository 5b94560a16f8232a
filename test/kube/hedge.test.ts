import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hedged } from '../../src/kube/hedge.ts'
import { FakeClock } from '../fake_clock.ts'

/** Tries that the test settles; numbered from 0. */
function bench() {
  const clock = new FakeClock()
  const stop = new AbortController()
  const tries: Array<{ at: number; signal: AbortSignal } & PromiseWithResolvers<string>> = []
  const discarded: string[] = []
  const result = hedged(
    {
      clock,
      everyMs: 1_000,
      discard: (late: string) => discarded.push(late),
      begin: (signal) => {
        const own = Promise.withResolvers<string>()
        signal.addEventListener('abort', () => own.reject(signal.reason), { once: true })
        tries.push({ at: clock.monotonic(), signal, ...own })
        return own.promise
      },
    },
    stop.signal,
  )
  result.catch(() => undefined)
  const aborted = () => tries.map(({ signal }) => signal.aborted)
  return { clock, stop, tries, discarded, result, aborted }
}

test('one that is answered in time stays the only one', async () => {
  const { clock, tries, result } = bench()
  await clock.advance(999)
  tries[0]?.resolve('answer')
  await clock.advance(10_000)
  assert.equal(await result, 'answer')
  assert.equal(tries.length, 1)
  assert.equal(clock.pending, 0)
})

test('a slow answer to the first is taken, and the others are ended', async () => {
  const { clock, tries, result, aborted } = bench()
  await clock.advance(2_500)
  tries[0]?.resolve('slow')
  await clock.advance(10_000)
  assert.equal(await result, 'slow')
  assert.deepEqual(
    tries.map(({ at }) => at),
    [0, 1_000, 2_000],
  )
  assert.deepEqual(aborted(), [false, true, true])
})

test('a request that was lost is made good by the next', async () => {
  const { clock, tries, result, aborted } = bench()
  await clock.advance(1_001)
  tries[1]?.resolve('second')
  assert.equal(await result, 'second')
  assert.deepEqual(aborted(), [true, false])
})

test('what comes although it was too late is discarded', async () => {
  const { clock, tries, result, discarded } = bench()
  await clock.advance(1_001)
  tries[0]?.resolve('first')
  tries[1]?.resolve('second')
  assert.equal(await result, 'first')
  await clock.advance(0)
  assert.deepEqual(discarded, ['second'])
})

test('the first failure is the result, and nothing is tried after it', async () => {
  const { clock, tries, result, aborted } = bench()
  await clock.advance(1_001)
  tries[1]?.reject(new Error('refused'))
  await assert.rejects(result, /refused/)
  await clock.advance(10_000)
  assert.deepEqual(aborted(), [true, false])
  assert.equal(clock.pending, 0)
})

test('a stop ends all tries', async () => {
  const { clock, stop, result, aborted } = bench()
  await clock.advance(1_001)
  stop.abort(new Error('stopped'))
  await assert.rejects(result, /stopped/)
  assert.deepEqual(aborted(), [true, true])
  assert.equal(clock.pending, 0)
})
