import {
  badSignature,
  noFederation,
  noMatch,
  outsideItsTime,
  type Trouble,
  unreachableIssuer,
} from './entra_errors.ts'
import type { Identity } from './identities.ts'
import type { State } from './state.ts'
import { isSignedBy, keyFor, type Token } from './tokens.ts'

/** The order is Entra's as far as reports show it: issuer, subject, audience, time; then the signature. */
export function troubleWithFederatedAssertion(
  token: Token,
  identity: Identity,
  state: State,
  nowMs: number,
): Trouble | undefined {
  const { iss, sub, aud, exp, nbf } = token.claims
  const audiences = Array.isArray(aud) ? aud : [aud]
  if (identity.federation.length === 0) return noFederation(iss, sub, audiences)
  const byIssuer = identity.federation.filter((one) => one.issuer === iss)
  if (byIssuer.length === 0) return noMatch(700211, 'issuer', iss)
  const bySubject = byIssuer.filter((one) => one.subject === sub)
  if (bySubject.length === 0) return noMatch(700213, 'subject', sub)
  if (!bySubject.some((one) => audiences.includes(one.audience))) {
    return noMatch(700212, 'audience', audiences[0])
  }
  const keys = state.issuerKeys.get(String(iss))
  if (keys === undefined) return unreachableIssuer
  const key = keyFor(token, keys)
  if (key === undefined || !isSignedBy(token, key)) return badSignature(token.header.kid)
  return isTimely(nbf, exp, nowMs) ? undefined : outsideItsTime(nbf, exp, nowMs)
}

function isTimely(nbf: unknown, exp: unknown, nowMs: number): boolean {
  const now = nowMs / 1000
  return typeof exp === 'number' && now < exp && (typeof nbf !== 'number' || now >= nbf)
}
