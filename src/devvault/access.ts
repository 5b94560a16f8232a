import type { Clock } from '../clock.ts'
import type { VaultKind } from './clouds.ts'
import { vaultError } from './errors.ts'
import { Refusal } from './http.ts'
import type { Identity } from './identities.ts'
import type { State } from './state.ts'
import { parseToken, type TokenSigner } from './tokens.ts'

/**
 * Who calls, by a bearer token of this tenant for this resource; everything else is the challenge,
 * which a Managed HSM sends without a body.
 * Recorded: the challenge and the answer to a missing token. Reported: AKV10022, AKV10032, AKV10046
 * and the expired token's text. Believed: the two others, and `error` in the expired one's challenge.
 */
export function callerOf(
  authorization: string | undefined,
  kind: VaultKind,
  state: State,
  signer: TokenSigner,
  clock: Clock,
): Identity {
  const refuse = (message: string, challengeError?: string) =>
    unauthorized(kind, state.tenantId, message, challengeError)
  const compact = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1]
  if (compact === undefined) {
    throw refuse('AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.')
  }
  const token = parseToken(compact)
  if (token === undefined) throw refuse('AKV10001: The token is malformed.')
  if (!signer.knows(token)) {
    const header = Buffer.from(JSON.stringify(token.header)).toString('base64url')
    throw refuse(
      `AKV10046: Unable to resolve the key used for signature validation. EncodedJwtHeader: '${header}'.`,
    )
  }
  if (!signer.signed(token)) throw refuse("[InvalidSignature] Error validating token: 'S2S12005'.")
  const now = clock.now() / 1000
  const { iss, aud, nbf, exp, appid, tid } = token.claims
  if (typeof exp !== 'number' || now >= exp || typeof nbf !== 'number' || now < nbf) {
    throw refuse("[TokenExpired] Error validating token: 'S2S12086'.", 'invalid_token')
  }
  const issuer = `${kind.cloud.tokenIssuer}/${state.tenantId}/`
  if (iss !== issuer || tid !== state.tenantId) {
    throw refuse(`AKV10032: Invalid issuer. Expected one of ${issuer}, found ${String(iss)}.`)
  }
  if (aud !== kind.resource) {
    throw refuse(`AKV10022: Invalid audience. Expected ${kind.resource}, found: ${String(aud)}.`)
  }
  const identity = state.identities.find((one) => one.clientId === appid)
  // A token outlives its app; the vault then simply finds no assignment for it.
  return (
    identity ?? {
      name: String(appid),
      clientId: String(appid),
      objectId: String(token.claims.oid),
      secrets: [],
      certificates: [],
      federation: [],
      permissions: [],
    }
  )
}

function unauthorized(
  { cloud, resource, isManagedHsm }: VaultKind,
  tenantId: string,
  message: string,
  challengeError?: string,
): Refusal {
  const challenge = `Bearer authorization="https://${cloud.authorityHost}/${tenantId}", resource="${resource}"`
  const error = challengeError === undefined ? '' : `, error="${challengeError}"`
  const headers = { 'WWW-Authenticate': `${challenge}${error}` }
  if (isManagedHsm) return new Refusal({ status: 401, headers })
  return vaultError(401, 'Unauthorized', message, undefined, headers)
}
