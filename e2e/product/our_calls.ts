import type { AuditEvent } from '../harness/audit.ts'
import { at, listAt } from '../harness/json.ts'

/** The controller as RBAC and the audit log call it. */
export const controllerUser = 'system:serviceaccount:akv-issuer:akv-issuer'

/** What the controller asked of the API server, in the order of the audit log. */
export function callsOfOurs(events: readonly AuditEvent[]): readonly AuditEvent[] {
  return events.filter(({ user }) => user === controllerUser)
}

/** What the controller wrote, or tried to, in one namespace. */
export function writesOfOurs(
  events: readonly AuditEvent[],
  namespace: string,
): readonly AuditEvent[] {
  return callsOfOurs(events).filter(
    (event) => event.namespace === namespace && !readVerbs.has(event.verb),
  )
}

const readVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch'])

/** Whether it changes the status of a CertificateRequest. */
export function isAnswer({ verb, resource, subresource }: AuditEvent): boolean {
  return verb === 'patch' && resource === 'certificaterequests' && subresource === 'status'
}

export function isAccepted({ code }: Pick<AuditEvent, 'code'>): boolean {
  return code >= 200 && code < 300
}

/** The reason of the Ready condition that the call wrote. */
export function reasonWritten({ requestObject }: AuditEvent): string {
  const ready = listAt(requestObject, 'status', 'conditions').find(
    (condition) => at(condition, 'type') === 'Ready',
  )
  return String(at(ready, 'reason') ?? '')
}

export function countBy<T>(
  items: readonly T[],
  key: (item: T) => string,
): Readonly<Record<string, number>> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1)
  return Object.fromEntries(counts)
}
