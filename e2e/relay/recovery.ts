import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Followed } from './followed.ts'
import type { Writer } from './writer.ts'

/** A fault that is over is overcome within 2 s; on a machine under load, within five times that. */
const recoveryMs = 5 * 2_000

export interface RecoveryOptions {
  /** Whether the reflector shall have taken the fault for a failure. */
  readonly fails: boolean
  /** A fault that is silence lasts until a limit of ours has found it out. */
  readonly limitMs?: number
}

/**
 * To be called when the fault has just ended. Ends the writing and waits until the reflector's copy,
 * and the one made of what it told, equal a fresh list; reports how long that took.
 */
export async function assertRecovers(
  t: TestContext,
  followed: Followed,
  writer: Writer,
  { fails, limitMs = 0 }: RecoveryOptions,
): Promise<void> {
  const over = performance.now()
  await writer.stop()
  // Told only by a watch or a list that is of after the fault.
  const last = { metadata: { generateName: 'last-' } }
  await followed.cluster.must('POST', followed.collection, last)
  await followed.untilEqualToList(recoveryMs + limitMs)
  const tookMs = performance.now() - over
  const { lists, watches, failures } = followed.reflector.counts
  t.diagnostic(
    `recovered after ${Math.round(tookMs)} ms; ${writer.accepted} writes; ` +
      `lists ${lists}, watches ${watches}, failures ${failures}`,
  )
  assert.ok(tookMs < recoveryMs + limitMs, `${tookMs} ms`)
  assert.ok(writer.accepted > 0)
  assert.ok(lists + watches > 2, 'the fault was met')
  assert.equal(failures > 0, fails)
  followed.assertFewLists()
}
