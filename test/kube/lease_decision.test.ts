import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decideLease,
  type LeaseDecision,
  type ObservedLease,
  observeLease,
  parseLease,
} from '../../src/kube/lease_decision.ts'

const record = { resourceVersion: '7', holder: 'other', durationMs: 13_000, transitions: 3 }

const table: ReadonlyArray<{
  name: string
  observed: ObservedLease | undefined
  now: number
  decision: LeaseDecision
}> = [
  { name: 'there is none', observed: undefined, now: 0, decision: { kind: 'create' } },
  {
    name: 'another renewed it just now',
    observed: { record, seenAt: 1_000 },
    now: 1_000,
    decision: { kind: 'wait', ms: 13_000 },
  },
  {
    name: 'another has a moment left',
    observed: { record, seenAt: 1_000 },
    now: 13_999,
    decision: { kind: 'wait', ms: 1 },
  },
  {
    name: 'another let it run out',
    observed: { record, seenAt: 1_000 },
    now: 14_000,
    decision: { kind: 'take', transitions: 4 },
  },
  {
    name: 'it was given back',
    observed: { record: { ...record, holder: '' }, seenAt: 1_000 },
    now: 1_000,
    decision: { kind: 'take', transitions: 4 },
  },
  {
    name: 'it is ours',
    observed: { record: { ...record, holder: 'me' }, seenAt: 1_000 },
    now: 99_000,
    decision: { kind: 'take', transitions: 3 },
  },
]
for (const { name, observed, now, decision } of table) {
  test(`lease: ${name}`, () => assert.deepEqual(decideLease(observed, 'me', now), decision))
}

test('the time counts from the first sight of a version, whatever times the record holds', () => {
  const first = observeLease(undefined, record, 1_000)
  assert.equal(observeLease(first, { ...record }, 5_000), first)
  assert.deepEqual(observeLease(first, { ...record, resourceVersion: '8' }, 5_000), {
    record: { ...record, resourceVersion: '8' },
    seenAt: 5_000,
  })
})

test('a Lease is read; one that nobody ever took is free', () => {
  const metadata = { name: 'akv-issuer', namespace: 'a', uid: 'u', resourceVersion: '7' }
  const spec = { holderIdentity: 'other', leaseDurationSeconds: 13, leaseTransitions: 3 }
  assert.deepEqual(parseLease({ metadata, spec }, 1), record)
  assert.deepEqual(parseLease({ metadata }, 13_000), {
    resourceVersion: '7',
    holder: '',
    durationMs: 13_000,
    transitions: 0,
  })
  assert.equal(parseLease({ spec }, 1), undefined)
})
