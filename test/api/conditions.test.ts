import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kubeTime, sameCondition, transition } from '../../src/api/conditions.ts'

const now = Date.parse('2026-11-22T12:00:00.789Z')
const draft = { type: 'Ready', status: 'True', reason: 'Verified', message: 'm' } as const
const before = { ...draft, lastTransitionTime: '2026-11-01T00:00:00Z' }

test('the transition time moves with the status and with nothing else', () => {
  assert.equal(transition(undefined, draft, now).lastTransitionTime, '2026-11-22T12:00:00Z')
  assert.deepEqual(transition(before, { ...draft, message: 'other' }, now), {
    ...before,
    message: 'other',
  })
  const turned = transition(before, { ...draft, status: 'False' }, now)
  assert.equal(turned.lastTransitionTime, '2026-11-22T12:00:00Z')
})

test('a condition is the same when a reader learns nothing from writing it', () => {
  assert.equal(sameCondition(before, draft), true)
  for (const change of [
    { status: 'False' },
    { reason: 'Other' },
    { message: 'other' },
    { observedGeneration: 2 },
  ] as const) {
    assert.equal(sameCondition(before, { ...draft, ...change }), false)
  }
  assert.equal(sameCondition(undefined, draft), false)
})

test('times are written with whole seconds', () => {
  assert.equal(kubeTime(now), '2026-11-22T12:00:00Z')
})
