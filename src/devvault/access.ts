import type { Clock } from '../clock.ts'
import { vaultResource } from './entra.ts'
import { authorityHost } from './entra_metadata.ts'
import { vaultError } from './errors.ts'
import type { Refusal } from './http.ts'
import type { Identity } from './identities.ts'
import type { State } from './state.ts'
import { parseToken, type TokenSigner } from './tokens.ts'

/**
 * Who calls, by a bearer token of this tenant for this resource; everything else is the challenge.
 * Recorded: the challenge and the answer to a missing token. Reported: AKV10022, AKV10032, AKV10046
 * and the expired token's text. Believed: the two others, and `error` in the expired one's challenge.
 */
export function callerOf(
  authorization: string | undefined,
  state: State,
  signer: TokenSigner,
  clock: Clock,
): Identity {
  const refuse = (message: string, challengeError?: string) =>
    unauthorized(state.tenantId, message, challengeError)
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
  const issuer = `https://sts.windows.net/${state.tenantId}/`
  if (iss !== issuer || tid !== state.tenantId) {
    throw refuse(`AKV10032: Invalid issuer. Expected one of ${issuer}, found ${String(iss)}.`)
  }
  if (aud !== vaultResource) {
    throw refuse(`AKV10022: Invalid audience. Expected ${vaultResource}, found: ${String(aud)}.`)
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

function unauthorized(tenantId: string, message: string, challengeError?: string): Refusal {
  const challenge = `Bearer authorization="https://${authorityHost}/${tenantId}", resource="${vaultResource}"`
  const error = challengeError === undefined ? '' : `, error="${challengeError}"`
  return vaultError(401, 'Unauthorized', message, undefined, {
    'WWW-Authenticate': `${challenge}${error}`,
  })
}
