import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '../../src/issuance/outcome.ts'
import { Waits } from '../../src/issuance/waits.ts'
import { FakeClock } from '../fake_clock.ts'
import { makeCondition, makeRequest } from './make_request.ts'

const suspended: Outcome = { kind: 'wait', code: 'IssuerSuspended', message: 'it is suspended' }
const acting: Outcome = { kind: 'deny', message: 'any outcome that is carried out' }

/** Of a request that was created at 12:00:00 and approved at 12:00:01. */
const creationTime = '2026-11-22T12:00:00Z'
const lastTransitionTime = '2026-11-22T12:00:01Z'
const approved = { ...makeCondition('Approved', 'cert-manager.io'), lastTransitionTime }
const request = (uid: string) => makeRequest({ uid, creationTime, approved })
const unapproved = (uid: string) => makeRequest({ uid, creationTime, approved: undefined })

function bench(startsAt = '2026-11-22T12:00:00Z') {
  const clock = new FakeClock(Date.parse(startsAt))
  return { clock, waits: new Waits(clock) }
}

const reasons: ReadonlyArray<readonly [name: string, outcome: Outcome, reason: string]> = [
  ['is not approved', { kind: 'ignore', why: 'NotApproved' }, 'NotApproved'],
  [
    'has an issuer not looked at yet',
    { kind: 'ignore', why: 'IssuerNotProbed' },
    'IssuerNotProbed',
  ],
  ['was decided to wait', suspended, 'IssuerSuspended'],
  ['is carried out', acting, 'Answering'],
]
for (const [name, outcome, reason] of reasons) {
  test(`a request that ${name} waits for ${reason}`, () => {
    const { waits } = bench()
    waits.seen(request('a'))
    waits.decided('a', outcome)
    assert.deepEqual(waits.list(), [{ reason, count: 1, oldestMs: 0 }])
  })
}

for (const why of ['Answered', 'Denied', 'DeclaredInvalid', 'NotOurs'] as const) {
  test(`a request that is left for being ${why} does not count as waiting`, () => {
    const { waits } = bench()
    waits.seen(request('a'))
    waits.decided('a', { kind: 'ignore', why })
    assert.deepEqual(waits.list(), [])
  })
}

test('of the requests with one reason the oldest is told: since its approval, or else its creation', async () => {
  const { clock, waits } = bench('2026-11-22T12:01:00Z')
  for (const uid of ['a', 'b']) waits.seen(request(uid))
  waits.seen(
    makeRequest({
      uid: 'late',
      creationTime,
      approved: { ...approved, lastTransitionTime: '2026-11-22T12:00:31Z' },
    }),
  )
  waits.seen(unapproved('c'))
  for (const uid of ['a', 'late']) waits.decided(uid, suspended)
  waits.decided('c', { kind: 'ignore', why: 'NotApproved' })
  await clock.advance(10_000)
  // To a second, since Kubernetes keeps no less.
  assert.deepEqual(waits.list(), [
    { reason: 'IssuerSuspended', count: 2, oldestMs: 68_001 },
    { reason: 'Answering', count: 1, oldestMs: 68_001 },
    { reason: 'NotApproved', count: 1, oldestMs: 69_001 },
  ])
})

test('within the second that Kubernetes tells, the time counts from when it was seen', async () => {
  const { clock, waits } = bench()
  waits.seen(unapproved('a'))
  await clock.advance(1_200)
  waits.seen(request('a'))
  await clock.advance(150)
  waits.seen(request('a'))
  assert.equal(waits.answering('a')(), 150)
})

const clocks: ReadonlyArray<readonly [name: string, time: string, ms: number]> = [
  ['of an API server whose clock is ahead', '2026-11-22T12:05:00Z', 0],
  ['that nobody wrote down', '', 0],
  ['long ago, before this process', '2026-11-22T10:00:00Z', 7_199_001],
]
for (const [name, time, ms] of clocks) {
  test(`an approval ${name} gives an age of ${ms} ms`, () => {
    const { waits } = bench()
    waits.seen(makeRequest({ uid: 'a', approved: { ...approved, lastTransitionTime: time } }))
    assert.equal(waits.answering('a')(), ms)
  })
}

test('trouble is the reason until another try has gone well, however often one is made', () => {
  const { waits } = bench()
  const reasonNow = () => waits.list().map(({ reason }) => reason)
  waits.seen(request('a'))
  waits.decided('a', acting)
  waits.troubled('a', 'VaultThrottled')
  waits.decided('a', acting)
  assert.deepEqual(reasonNow(), ['VaultThrottled'])
  waits.decided('a', suspended)
  waits.decided('a', acting)
  assert.deepEqual(reasonNow(), ['Answering'])
})

test('what is answered waits no more, though a watch still shows it without an answer', () => {
  const { waits } = bench()
  waits.seen(request('a'))
  waits.answering('a')()
  waits.seen(request('a'))
  assert.deepEqual(waits.list(), [])
})

test('what was never approved has no time to its answer', () => {
  const { waits } = bench()
  waits.seen(unapproved('a'))
  assert.equal(waits.answering('a')(), undefined)
})

test('an answer that a watch shows before the API server says so is timed all the same', async () => {
  const { clock, waits } = bench()
  waits.seen(request('a'))
  const taken = waits.answering('a')
  await clock.advance(20)
  waits.forget('a')
  assert.equal(taken(), 20)
})

test('a request that is gone leaves nothing', () => {
  const { waits } = bench()
  waits.seen(request('a'))
  waits.forget('a')
  waits.troubled('a', 'VaultUnavailable')
  waits.decided('a', suspended)
  assert.deepEqual([waits.list(), waits.answering('a')()], [[], undefined])
})
