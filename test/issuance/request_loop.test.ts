import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, IssuerError } from '../../src/error.ts'
import { RequestLoop } from '../../src/issuance/request_loop.ts'
import { Waits } from '../../src/issuance/waits.ts'
import { silentLog } from '../../src/log.ts'
import type { Random } from '../../src/random.ts'
import { FakeClock } from '../fake_clock.ts'
import { makeRequest } from './make_request.ts'

const steady: Random = { bytes: (length) => new Uint8Array(length), fraction: () => 0.5 }
const uid = 'a'

/** A loop over one request, each try of which ends with the next of `codes`; well where there is none. */
function bench(...codes: ReadonlyArray<ErrorCode | undefined>) {
  const clock = new FakeClock()
  const waits = new Waits(clock)
  waits.seen(makeRequest({ uid }))
  const stop = new AbortController()
  const left = [...codes]
  const happened: string[] = []
  const open = new Set([uid])
  const note = (what: string) => happened.push(`${clock.monotonic()} ${what}`)
  const loop = new RequestLoop<string>({
    name: 'requests',
    clock,
    random: steady,
    log: silentLog,
    concurrency: 1,
    waits,
    find: (one) => (open.has(one) ? one : undefined),
    issuerState: () => undefined,
    answer: async () => {
      const code = left.shift()
      note('try')
      if (code !== undefined) throw new IssuerError(code, `it is ${code}`)
      return { kind: 'done' }
    },
    reread: async () => void note('reread'),
    gone: (one) => {
      note('gone')
      open.delete(one)
    },
    tell: async (_, error) => void note(error.message),
    recheckIssuer: () => note('recheck'),
  })
  const run = loop.run(stop.signal)
  loop.add(uid)
  const after = async (ms: number) => {
    await clock.advance(ms)
    stop.abort()
    await run
    return happened
  }
  return { loop, clock, after, reasons: () => waits.list().map(({ reason }) => reason) }
}

test('a conflict is read and decided anew at once, some times', async () => {
  const { after } = bench('KubeConflict', 'KubeConflict')
  assert.deepEqual(await after(10), ['0 try', '0 reread', '0 try', '0 reread', '0 try'])
})

test('a conflict that never ends waits for its next turn, and nobody is told', async () => {
  const { after } = bench(...Array.from({ length: 100 }, () => 'KubeConflict' as const))
  const happened = await after(100)
  assert.equal(happened.filter((what) => what === '0 try').length, 5)
  assert.ok(!happened.some((what) => what.includes('it is')))
})

test('passing trouble is told once it lasts 5 s, and tried with growing pauses', async () => {
  const { after } = bench(...Array.from({ length: 100 }, () => 'VaultUnavailable' as const))
  const happened = await after(20_000)
  const told = happened.find((what) => what.endsWith('it is VaultUnavailable'))
  assert.ok(Number.parseInt(told ?? '', 10) >= 5_000, happened.join('\n'))
  assert.ok(happened.filter((what) => what.endsWith('try')).length < 10, happened.join('\n'))
})

test('trouble after a try that went well is new, and not told at once', async () => {
  const { loop, clock, after } = bench('VaultUnavailable', undefined, 'VaultUnavailable')
  await clock.advance(10_000)
  loop.add(uid)
  const happened = await after(10)
  assert.equal(happened.filter((what) => what.endsWith('try')).length, 3, happened.join('\n'))
  assert.ok(!happened.some((what) => what.includes('it is')), happened.join('\n'))
})

test('what somebody has to change is told at once, looked into, and tried each minute', async () => {
  const { after } = bench('VaultForbidden')
  assert.deepEqual(await after(61_000), [
    '0 try',
    '0 recheck',
    '0 it is VaultForbidden',
    '60000 try',
  ])
})

test('trouble is why a request waits, be it told or not', async () => {
  const { after, reasons } = bench('VaultThrottled', 'VaultThrottled')
  await after(300)
  assert.deepEqual(reasons(), ['VaultThrottled'])
})

test('a request that is forgotten leaves nothing in the queue', async () => {
  const { loop, clock, after } = bench('VaultUnavailable')
  await clock.advance(10)
  assert.equal(loop.queue.counts.retrying, 1)
  loop.forget(uid)
  assert.deepEqual(loop.queue.counts, { ready: 0, running: 0, retrying: 0, delayed: 0 })
  assert.deepEqual(await after(60_000), ['0 try'])
})

test('a request that is gone is left', async () => {
  const { after } = bench('KubeNotFound')
  assert.deepEqual(await after(120_000), ['0 try', '0 gone'])
})
