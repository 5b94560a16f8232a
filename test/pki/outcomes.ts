import assert from 'node:assert/strict'
import type { Parsed, Rule } from '../../src/pki/refusal.ts'

/** The value, or a failed test that says what was refused. */
export function accepted<T>(outcome: Parsed<T>): T {
  if (outcome.ok) return outcome.value
  return assert.fail(`refused by ${outcome.refusal.rule}: ${outcome.refusal.message}`)
}

/** Fails unless `outcome` is a refusal by `rule` whose message has `words`. */
export function assertRefused(outcome: Parsed<unknown>, rule: Rule, words: RegExp = /./): void {
  assert.ok(!outcome.ok, `accepted; expected a refusal by ${rule}`)
  assert.equal(outcome.refusal.rule, rule, outcome.refusal.message)
  assert.match(outcome.refusal.message, words)
}
