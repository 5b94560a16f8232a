import type { AuditEvent } from '../harness/audit.ts'
import { type Json, listAt, textAt } from '../harness/json.ts'

/** One verb on one resource that a role grants. */
export interface Right {
  readonly apiGroup: string
  /** With its subresource, as RBAC writes it. */
  readonly resource: string
  readonly verb: string
  /** Empty: any. */
  readonly names: readonly string[]
}

export function rightsOf(role: Json): readonly Right[] {
  return listAt(role, 'rules').flatMap((rule) =>
    texts(rule, 'apiGroups').flatMap((apiGroup) =>
      texts(rule, 'resources').flatMap((resource) =>
        texts(rule, 'verbs').map((verb) => ({
          apiGroup,
          resource,
          verb,
          names: texts(rule, 'resourceNames'),
        })),
      ),
    ),
  )
}

export function covers(right: Right, event: AuditEvent, namespace: string | undefined): boolean {
  const resource = event.subresource ? `${event.resource}/${event.subresource}` : event.resource
  return (
    right.apiGroup === event.apiGroup &&
    right.resource === resource &&
    right.verb === event.verb &&
    (right.names.length === 0 || right.names.includes(event.name)) &&
    (namespace === undefined || namespace === event.namespace)
  )
}

function texts(rule: Json, key: string): readonly string[] {
  return listAt(rule, key).map((value) => textAt(value))
}
