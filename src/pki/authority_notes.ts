import { type Authority, pathLengthLeft, pathOf } from './authority.ts'
import type { Certificate } from './certificate.ts'
import { purposesText } from './key_usage.ts'
import { constraintsText } from './name_constraints.ts'
import { nameText } from './names.ts'
import { oid } from './oids.ts'
import { timeText } from './times.ts'

const dayMs = 86_400_000
const expiryNoticeMs = 30 * dayMs

/**
 * What ends within 30 days in the chain of a CA that can issue, a sentence each.
 *
 * @param now milliseconds since the Unix epoch
 */
export function expiryNotes(authority: Authority, now: number): readonly string[] {
  return pathOf(authority).flatMap((ca) => expiryNote(ca, now))
}

/** Requests that the chain of a CA makes it refuse, a sentence each. The order is the same for the same chain. */
export function limitNotes(authority: Authority): readonly string[] {
  const path = pathOf(authority)
  return [
    ...path.flatMap(purposesNote),
    ...path.flatMap(constraintsNote),
    ...pathLengthNote(authority),
  ]
}

function expiryNote(ca: Certificate, now: number): readonly string[] {
  const left = ca.notAfter - now
  if (left >= expiryNoticeMs) return []
  const days = Math.floor(left / dayMs)
  const when = days < 1 ? 'in less than a day' : `in ${days} ${days === 1 ? 'day' : 'days'}`
  return [`${show(ca)} expires ${when}, at ${timeText(ca.notAfter)}; nothing it signs outlives it`]
}

/** RFC 5280 has extKeyUsage for leaves; Go, OpenSSL and browsers bound all below a CA by it. */
function purposesNote(ca: Certificate): readonly string[] {
  const purposes = ca.extensions.extendedKeyUsage
  if (purposes === undefined || purposes.includes(oid.anyExtendedKeyUsage)) return []
  return [`${show(ca)} is limited to the usages ${purposesText(purposes)}; others are refused`]
}

function constraintsNote(ca: Certificate): readonly string[] {
  const constraints = ca.extensions.nameConstraints
  if (constraints === undefined) return []
  return [
    `${show(ca)} constrains names: ${constraintsText(constraints)}; names outside are refused`,
  ]
}

function pathLengthNote(authority: Authority): readonly string[] {
  if (pathLengthLeft(authority) > 0) return []
  const name = show(authority.certificate)
  return [`no CA may stand below ${name} (pathLenConstraint); requests with isCA are refused`]
}

function show(ca: Certificate): string {
  return `the CA certificate for ${nameText(ca.subject)}`
}
