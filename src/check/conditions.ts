import { findCondition, parseConditions } from '../api/conditions.ts'
import type { Issuer } from '../api/issuer.ts'
import { type ErrorCode, retryClassByCode } from '../error.ts'
import { isGood } from '../issuance/issuer_telling.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

/** What the controller says of an issuer, in the words of its conditions. */
export function conditionFindings(issuer: Issuer): readonly Finding[] {
  const conditions = parseConditions(issuer.status)
  const ready = findCondition(conditions, 'Ready')
  if (ready === undefined || ready.observedGeneration !== issuer.generation) {
    const seen =
      ready?.observedGeneration === undefined
        ? 'it has no condition Ready'
        : `its condition Ready is about generation ${ready.observedGeneration}, the issuer is at ${issuer.generation}`
    return [failed('Ready', 'NotProbed', `${seen}: no controller has looked at it as it is`)]
  }
  return conditions.map((condition) => {
    const { type, status, reason, message } = condition
    if (isGood(condition)) return ok(type, message)
    if (type === 'Ready' && isErrorCode(reason)) return failed(type, reason, message)
    return status === 'Unknown' ? ok(type, message) : warning(type, message)
  })
}

/** Whether the controller has found out about the issuer as it is now, however it is. */
export function isJudged(issuer: Issuer): boolean {
  const ready = findCondition(parseConditions(issuer.status), 'Ready')
  return ready?.observedGeneration === issuer.generation
}

function isErrorCode(reason: string): reason is ErrorCode {
  return Object.hasOwn(retryClassByCode, reason)
}
