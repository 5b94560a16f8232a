/** Assertions that an app signs with its own certificate instead of sending a secret. */
import { hash, X509Certificate } from 'node:crypto'
import { IssuerError } from '../error.ts'
import {
  badClientCertificate,
  malformedAssertion,
  outsideItsTime,
  type Trouble,
  wrongAssertionAudience,
  wrongAssertionIssuer,
} from './entra_errors.ts'
import type { Identity } from './identities.ts'
import { isSignedBy, type Token } from './tokens.ts'

/** Whether the app speaks for itself; a federated assertion comes from another issuer. */
export function isOwnAssertion(token: Token, clientId: string): boolean {
  const { iss, sub } = token.claims
  return isSame(iss, clientId) || isSame(sub, clientId)
}

/**
 * What is wrong with the assertion. The certificate is found by its thumbprint (`x5t#S256` or `x5t`)
 * among the registered ones; an `x5c` that is sent along must begin with it.
 */
export function troubleWithOwnAssertion(
  token: Token,
  identity: Identity,
  tenantId: string,
  nowMs: number,
): Trouble | undefined {
  const { iss, sub, aud, exp, nbf } = token.claims
  if (!isSame(iss, identity.clientId) || !isSame(sub, identity.clientId)) {
    return wrongAssertionIssuer
  }
  const thumbprint = token.header['x5t#S256'] ?? token.header.x5t
  if (typeof thumbprint !== 'string') return malformedAssertion
  const certificate = identity.certificates
    .map((pem) => new X509Certificate(pem))
    .find(
      ({ raw }) =>
        hash('sha1', raw, 'base64url') === thumbprint ||
        hash('sha256', raw, 'base64url') === thumbprint,
    )
  if (certificate === undefined) {
    return badClientCertificate('The key was not found.', thumbprint)
  }
  if (certificate.validToDate.getTime() <= nowMs || certificate.validFromDate.getTime() > nowMs) {
    return badClientCertificate('The key used is expired.', thumbprint)
  }
  const { x5c } = token.header
  const sent: unknown = Array.isArray(x5c) ? x5c[0] : undefined
  if (sent !== undefined && sent !== certificate.raw.toString('base64')) {
    return badClientCertificate('The key was not found.', thumbprint)
  }
  if (!isSignedBy(token, certificate.publicKey.export({ format: 'jwk' }))) {
    return badClientCertificate(
      'The key was found, but use of the key to verify the signature failed.',
      thumbprint,
    )
  }
  if (!audiencePattern(tenantId).test(String(aud))) return wrongAssertionAudience(aud)
  const now = nowMs / 1000
  const isTimely =
    typeof exp === 'number' && now < exp && typeof nbf === 'number' && now >= nbf - leeway
  return isTimely ? undefined : outsideItsTime(nbf, exp, nowMs)
}

/** Seconds; believed. msal rounds `nbf` to the nearest second, so that half of its tokens are early. */
const leeway = 300

/** Certificates that an identity may sign with, from PEM. */
export function parseClientCertificate(pem: string): string {
  try {
    return new X509Certificate(pem).toString()
  } catch (cause) {
    throw new IssuerError('SpecInvalid', 'certificates must be a list of PEM certificates', {
      cause,
    })
  }
}

/** The token endpoint under whatever name this server is reached, or the issuer. */
function audiencePattern(tenantId: string): RegExp {
  return new RegExp(`^https://[^/]+/${tenantId}/(oauth2/)?(v2\\.0|(v2\\.0/)?token)/?$`, 'i')
}

function isSame(claim: unknown, clientId: string): boolean {
  return typeof claim === 'string' && claim.toLowerCase() === clientId.toLowerCase()
}
