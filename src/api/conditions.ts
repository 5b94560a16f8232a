import { type JsonObject, numberAt, objectsAt, textAt } from '../json.ts'

/** A Kubernetes status condition. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  /** RFC 3339, seconds. Moves only when `status` changes. */
  readonly lastTransitionTime: string
  readonly observedGeneration?: number
}

export type ConditionDraft = Omit<Condition, 'lastTransitionTime'>

export function parseConditions(status: JsonObject | undefined): readonly Condition[] {
  return objectsAt(status, 'conditions').flatMap((item) => {
    const type = textAt(item, 'type')
    if (type === undefined) return []
    const observedGeneration = numberAt(item, 'observedGeneration')
    return [
      {
        type,
        status: conditionStatus(textAt(item, 'status')),
        reason: textAt(item, 'reason') ?? '',
        message: textAt(item, 'message') ?? '',
        lastTransitionTime: textAt(item, 'lastTransitionTime') ?? '',
        ...(observedGeneration === undefined ? {} : { observedGeneration }),
      },
    ]
  })
}

export function findCondition(
  conditions: readonly Condition[],
  type: string,
): Condition | undefined {
  return conditions.find((condition) => condition.type === type)
}

/** The condition of a type whose status is True. */
export function trueCondition(
  conditions: readonly Condition[],
  type: string,
): Condition | undefined {
  const condition = findCondition(conditions, type)
  return condition?.status === 'True' ? condition : undefined
}

/** `draft` as it is to be written: the old transition time is kept while the status stays. */
export function transition(
  previous: Condition | undefined,
  draft: ConditionDraft,
  now: number,
): Condition {
  const kept = previous?.status === draft.status && previous.lastTransitionTime !== ''
  return { ...draft, lastTransitionTime: kept ? previous.lastTransitionTime : kubeTime(now) }
}

/** Whether writing `draft` would tell a reader anything new. */
export function sameCondition(previous: Condition | undefined, draft: ConditionDraft): boolean {
  return (
    previous?.status === draft.status &&
    previous.reason === draft.reason &&
    previous.message === draft.message &&
    previous.observedGeneration === draft.observedGeneration
  )
}

/** A time as `metav1.Time` writes it: RFC 3339 in UTC with whole seconds. */
export function kubeTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

function conditionStatus(text: string | undefined): Condition['status'] {
  return text === 'True' || text === 'False' ? text : 'Unknown'
}
