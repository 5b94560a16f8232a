import { type Authority, pathOf, roomBelow } from './authority.ts'
import type { Certificate } from './certificate.ts'
import { purposesText } from './key_usage.ts'
import { constraintsText } from './name_constraints.ts'
import { nameText } from './names.ts'
import { oid } from './oids.ts'
import { timeText } from './times.ts'

const dayMs = 86_400_000
/** What ends sooner is told. */
export const expiryNoticeMs = 30 * dayMs

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

/**
 * RFC 5280 has extKeyUsage for leaves; Go, OpenSSL and browsers bound all below a CA by it. istiod
 * starts with a CA below one that is limited so, and its workloads cannot connect.
 */
function purposesNote(ca: Certificate): readonly string[] {
  const purposes = ca.extensions.extendedKeyUsage
  if (purposes === undefined || purposes.includes(oid.anyExtendedKeyUsage)) return []
  const limit = `${show(ca)} is limited to the usages ${purposesText(purposes)}; others are refused`
  const missing = meshPurposes.filter((purpose) => !purposes.includes(purpose))
  if (missing.length === 0) return [limit]
  return [
    `${limit}, and what a Certificate with isCA: true signs is good for no others; workloads of a mesh ` +
      `need ${purposesText(missing)} too: for them use a CA without extKeyUsage`,
  ]
}

const meshPurposes = [oid.serverAuth, oid.clientAuth]

function constraintsNote(ca: Certificate): readonly string[] {
  const constraints = ca.extensions.nameConstraints
  if (constraints === undefined) return []
  const limit = `${show(ca)} constrains names: ${constraintsText(constraints)}; names outside are refused`
  const { permitted, excluded } = constraints
  if (![...permitted, ...excluded].some(({ kind }) => kind === 'uri')) return [limit]
  return [
    `${limit}; workloads below a Certificate with isCA: true can connect only if the trust domain of ` +
      'their SPIFFE URIs is within: for others use a CA that does not constrain URIs',
  ]
}

function pathLengthNote(authority: Authority): readonly string[] {
  const path = pathOf(authority)
  const limiting = path.find((ca, i) => roomBelow(ca, path.slice(0, i)) === 0)
  if (limiting === undefined) return []
  const { certificate } = authority
  const whose = limiting === certificate ? 'its own' : `that of ${show(limiting)}`
  return [
    `no CA may stand below ${show(certificate)} (pathLenConstraint, ${whose}); Certificates with ` +
      'isCA: true are refused: for them use a CA whose chain leaves room below',
  ]
}

function show(ca: Certificate): string {
  return `the CA certificate for ${nameText(ca.subject)}`
}
