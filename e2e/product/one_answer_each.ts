import assert from 'node:assert/strict'
import type { AuditEvent } from '../harness/audit.ts'
import { isAccepted, isAnswer, reasonWritten, writesOfOurs } from './our_calls.ts'
import type { Scene } from './scene.ts'
import type { Storm } from './storm.ts'

/**
 * Fails unless each request of a storm, or of a flow, has one certificate by one accepted write, and none Failed.
 *
 * A write whose sender ended may be stored all the same: the API server then notes 504, having had
 * nobody to answer. `isEnded` lets such a write stand for an accepted one.
 *
 * @returns all that the controller wrote, or tried to, in the namespace of the storm
 */
export async function assertOneAnswerEach(
  scene: Scene,
  storm: Pick<Storm, 'namespace' | 'requests' | 'wrong'>,
  { isEnded = false } = {},
): Promise<readonly AuditEvent[]> {
  const [wrong] = storm.wrong
  if (wrong) assert.fail(`Failed, or answered more than once: ${scene.evidence(wrong.object)}`)
  const writes = writesOfOurs(await scene.cluster.auditEvents(), storm.namespace)
  for (const { name, object } of storm.requests.values()) {
    const codes = writes
      .filter(
        (event) => isAnswer(event) && event.name === name && reasonWritten(event) === 'Issued',
      )
      .map(({ code }) => code)
    const accepted = codes.filter((code) => isAccepted({ code })).length
    const isStoredUnseen = isEnded && accepted === 0 && codes.includes(504)
    if (accepted === 1 || isStoredUnseen) continue
    assert.fail(`status writes answered with ${codes.join(', ')}: ${scene.evidence(object)}`)
  }
  return writes
}
