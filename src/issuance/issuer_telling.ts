import { type Condition, findCondition, parseConditions, sameCondition } from '../api/conditions.ts'
import { type Issuer, issuerKey } from '../api/issuer.ts'
import { apiVersion } from '../api/names.ts'
import type { EventRecorder, EventRegarding } from '../kube/events.ts'
import type { Log } from '../log.ts'

/** By type of a condition: the status in which nobody needs to do anything. */
const goodStatus: ReadonlyMap<string, Condition['status']> = new Map([
  ['Ready', 'True'],
  ['CertificatesUsable', 'True'],
  ['CAExpiring', 'False'],
  ['CALimited', 'False'],
  ['KubernetesCSR', 'True'],
  ['CARollover', 'True'],
])

/** Those whose message counts: in other words alone they are no news. */
const counting: ReadonlySet<string> = new Set(['CARollover'])

/** What is not done yet, and needs nobody to do anything either. */
const underWay: ReadonlySet<string> = new Set(['Reissuing'])

/** Logs what `conditions` say that the issuer did not show before, and tells it by Events. */
export function tellChanges(
  issuer: Issuer,
  conditions: readonly Condition[],
  events: Pick<EventRecorder, 'record'>,
  log: Pick<Log, 'info'>,
): void {
  const shown = parseConditions(issuer.status)
  for (const condition of conditions) {
    const before = findCondition(shown, condition.type)
    if (sameCondition(before, condition)) continue
    if (counting.has(condition.type) && before?.reason === condition.reason) continue
    const { type, status, reason, message } = condition
    const detail = { issuer: issuerKey(issuer), condition: type, status, reason, detail: message }
    log.info('issuer status changed', detail)
    if (!isTold(condition, before)) continue
    events.record({
      regarding: regardingIssuer(issuer),
      type: isGood(condition) || underWay.has(reason) ? 'Normal' : 'Warning',
      reason,
      note: message,
    })
  }
}

/** Of Ready each change; of the others what is wrong, in each new wording, and that it is over. */
function isTold(condition: Condition, before: Condition | undefined): boolean {
  if (condition.type === 'Ready') return true
  if (condition.status === 'Unknown') return false
  if (isGood(condition)) return before !== undefined && !isGood(before)
  return before?.status !== condition.status || before.message !== condition.message
}

/** Whether nobody needs to do anything about it. */
export function isGood({ type, status }: Condition): boolean {
  return status === goodStatus.get(type)
}

function regardingIssuer({ kind, namespace, name, uid }: Issuer): EventRegarding {
  const object = { apiVersion, kind, name, uid }
  return kind === 'Issuer' ? { ...object, namespace } : object
}
