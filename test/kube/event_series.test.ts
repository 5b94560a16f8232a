import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventSeries, type KubeEvent } from '../../src/kube/event_series.ts'
import { cutToBytes } from '../../src/kube/events.ts'
import { microTime } from '../../src/kube/micro_time.ts'

const minute = 60_000
const event: KubeEvent = {
  regarding: { apiVersion: 'v1', kind: 'Secret', namespace: 'shop', name: 'web', uid: 'u1' },
  type: 'Warning',
  reason: 'Waiting',
  note: 'the vault refused',
}

test('the same event is written once', () => {
  const series = new EventSeries()
  assert.deepEqual(series.occurred(event, 0), { kind: 'create' })
  series.created(event, 'web.1')
  for (let now = 1; now < 30 * minute; now += minute) {
    assert.deepEqual(series.occurred({ ...event }, now), { kind: 'none' })
  }
})

test('one that goes on is refreshed every half hour, with its count', () => {
  const series = new EventSeries()
  series.occurred(event, 0)
  series.created(event, 'web.1')
  series.occurred(event, 10 * minute)
  const refreshed = { kind: 'series', name: 'web.1', count: 3 }
  assert.deepEqual(series.occurred(event, 30 * minute), refreshed)
  assert.deepEqual(series.occurred(event, 31 * minute), { kind: 'none' })
  assert.deepEqual(series.occurred(event, 60 * minute), { ...refreshed, count: 5 })
})

test('one that was silent for longer than events are kept is new', () => {
  const series = new EventSeries()
  series.occurred(event, 0)
  series.created(event, 'web.1')
  assert.deepEqual(series.occurred(event, 61 * minute), { kind: 'create' })
})

test('one that could not be written, or was deleted, is created again', () => {
  const series = new EventSeries()
  series.occurred(event, 0)
  series.lost(event)
  assert.deepEqual(series.occurred(event, 1), { kind: 'create' })
})

const others: ReadonlyArray<[string, KubeEvent]> = [
  ['object', { ...event, regarding: { ...event.regarding, uid: 'u2' } }],
  ['reason', { ...event, reason: 'Failed' }],
  ['note', { ...event, note: 'other' }],
  ['type', { ...event, type: 'Normal' }],
]
for (const [what, other] of others) {
  test(`another ${what} is another event`, () => {
    const series = new EventSeries()
    series.occurred(event, 0)
    assert.deepEqual(series.occurred(other, 0), { kind: 'create' })
  })
}

test('an object of which ever new things are said gets ten, then one a minute', () => {
  const series = new EventSeries()
  const created = (from: number, count: number) => {
    const notes = Array.from({ length: count }, (_, i) => `${from}/${i}`)
    return notes.filter((note) => series.occurred({ ...event, note }, from).kind === 'create')
      .length
  }
  assert.equal(created(0, 50), 10)
  assert.equal(created(30_000, 5), 0)
  assert.equal(created(minute, 5), 1)
  assert.equal(created(100 * minute, 50), 10)
})

test('a note is cut by bytes, between characters', () => {
  assert.equal(cutToBytes('short', 1024), 'short')
  assert.equal(cutToBytes('äää', 6), 'äää')
  assert.equal(cutToBytes('ääää', 7), 'ää…')
  assert.equal(cutToBytes('ääää', 6), 'ä…')
  assert.equal(Buffer.byteLength(cutToBytes('€'.repeat(1000), 1024)), 1023)
})

test('times have six digits of a second', () => {
  assert.equal(microTime(Date.parse('2026-11-22T12:00:00.5Z')), '2026-11-22T12:00:00.500000Z')
})
