import { type Authority, pathOf } from './authority.ts'
import { nameText } from './names.ts'
import { refuse } from './refusal.ts'
import { durationText, timeText } from './times.ts'

/** All in milliseconds. */
export interface ValidityLimits {
  /** For a request without a duration. */
  readonly defaultDurationMs: number
  readonly minDurationMs: number
  readonly maxDurationMs: number
  /** How far notBefore lies in the past, for clocks that are behind. */
  readonly backdateMs: number
}

export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
  readonly notes: readonly string[]
}

/**
 * The window of `requestedMs`, moved back by the backdate, within that of every CA of the chain.
 * The window is moved and not stretched: cert-manager's conformance suite compares notAfter −
 * notBefore with the duration asked for.
 */
export function chooseValidity(
  requestedMs: number | undefined,
  limits: ValidityLimits,
  authority: Authority,
  now: number,
): Validity {
  const durationMs = wholeSeconds(requestedMs ?? limits.defaultDurationMs)
  checkDuration(durationMs, limits)
  const notBefore = Math.max(wholeSeconds(now - limits.backdateMs), authority.certificate.notBefore)
  const wanted = notBefore + durationMs

  const path = pathOf(authority)
  const end = Math.min(...path.map((ca) => ca.notAfter))
  if (wanted <= end) return { notBefore, notAfter: wanted, notes: [] }
  const first = path.find((ca) => ca.notAfter === end) ?? authority.certificate
  const reason = `the CA ${nameText(first.subject)} expires at ${timeText(end)}`
  if (end - now < limits.minDurationMs) {
    refuse(
      'ca-expires-too-soon',
      `${reason}, which leaves less than the minimum of ${durationText(limits.minDurationMs)}; renew the CA`,
    )
  }
  const note = `the duration of ${durationText(durationMs)} was shortened: ${reason}`
  return { notBefore, notAfter: end, notes: [note] }
}

function checkDuration(durationMs: number, { minDurationMs, maxDurationMs }: ValidityLimits): void {
  const asked = `duration ${durationText(durationMs)}`
  if (durationMs < minDurationMs) {
    refuse('duration-too-short', `${asked} is below the minimum ${durationText(minDurationMs)}`)
  }
  if (durationMs > maxDurationMs) {
    refuse('duration-too-long', `${asked} is above the maximum ${durationText(maxDurationMs)}`)
  }
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}
