import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Condition } from '../../src/api/conditions.ts'
import { parseIssuer } from '../../src/api/issuer.ts'
import { tellChanges } from '../../src/issuance/issuer_telling.ts'

const far = {
  type: 'CAExpiring',
  status: 'False',
  reason: 'FarFromExpiry',
  message: 'far',
} as const
const soon = { type: 'CAExpiring', status: 'True', reason: 'ExpiresSoon', message: 'soon' } as const
const ready = { type: 'Ready', status: 'True', reason: 'Verified', message: 'signed' } as const

const rolling = (status: Condition['status'], reason: string, message: string) =>
  ({ type: 'CARollover', status, reason, message }) as const
const settled = rolling('True', 'Settled', 'none')
const half = rolling('False', 'Reissuing', '1 of 2')

type Draft = Omit<Condition, 'lastTransitionTime'>

/** Types and notes of the Events that a change of the status gives, and how many lines of log. */
function told(before: readonly Draft[], after: readonly Draft[]) {
  const at = (draft: Draft): Condition => ({ ...draft, lastTransitionTime: '2026-11-22T10:00:00Z' })
  const issuer = parseIssuer('Issuer', {
    metadata: { uid: 'u', namespace: 'team', name: 'mesh', resourceVersion: '1' },
    status: { conditions: before.map(at) },
  })
  assert(issuer !== undefined)
  const recorded: string[] = []
  let lines = 0
  tellChanges(
    issuer,
    after.map(at),
    { record: ({ type, note }) => recorded.push(`${type}: ${note}`) },
    { info: () => void lines++ },
  )
  return { events: recorded, lines }
}

describe('a change of the status of an issuer', () => {
  const cases: readonly (readonly [
    string,
    readonly Draft[],
    readonly Draft[],
    readonly string[],
  ])[] = [
    ['Ready is told', [], [ready], ['Normal: signed']],
    ['Ready in other words is told', [{ ...ready, message: 'old' }], [ready], ['Normal: signed']],
    ['what nobody needs to mend is not told', [], [far], []],
    ['what somebody needs to mend is told', [far], [soon], ['Warning: soon']],
    ['and told again in other words', [{ ...soon, message: 'x' }], [soon], ['Warning: soon']],
    ['but not for another spec alone', [{ ...soon, observedGeneration: 1 }], [soon], []],
    ['what is under way is no warning', [settled], [half], ['Normal: 1 of 2']],
    ['what cannot go on is one', [half], [rolling('False', 'X', 'no')], ['Warning: no']],
    ['what is being counted is not told', [half], [rolling('Unknown', 'X', '?')], []],
    ['that it was mended is told', [soon], [far], ['Normal: far']],
  ]
  for (const [title, before, after, events] of cases) {
    test(title, () => assert.deepEqual(told(before, after), { events, lines: after.length }))
  }

  test('a count is neither told nor logged', () => {
    const later = { ...half, message: '2 of 3' }
    assert.deepEqual(told([half], [later]), { events: [], lines: 0 })
  })

  test('what was shown before is neither told nor logged', () => {
    assert.deepEqual(told([ready, soon], [ready, soon]), { events: [], lines: 0 })
  })
})
