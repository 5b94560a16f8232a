import type { ErrorCode } from '../error.ts'

/** What came of one look at an issuer. */
export interface Finding {
  /** What was looked at, in a word. */
  readonly probe: string
  readonly result: Result
  /** Of what failed or is to be watched. */
  readonly code?: FindingCode
  readonly message: string
}

export type Result =
  | 'ok'
  /** It works, and somebody should do something all the same. */
  | 'warning'
  | 'failed'
  /** Not looked at, or not to be seen from here. */
  | 'skipped'

/** The codes of conditions, and those of what a condition cannot tell. */
export type FindingCode = ErrorCode | ClusterCode

export type ClusterCode =
  | 'CrdMissing'
  | 'CrdOutdated'
  | 'LeaseNotFound'
  | 'LeaseNotHeld'
  | 'ApproverMissing'
  | 'NotProbed'

export function ok(probe: string, message: string): Finding {
  return { probe, result: 'ok', message }
}

export function skipped(probe: string, message: string): Finding {
  return { probe, result: 'skipped', message }
}

export function warning(probe: string, message: string, code?: FindingCode): Finding {
  return { probe, result: 'warning', message, ...(code !== undefined && { code }) }
}

export function failed(probe: string, code: FindingCode, message: string): Finding {
  return { probe, result: 'failed', code, message }
}
