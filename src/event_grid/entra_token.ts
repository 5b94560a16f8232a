import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import { type Dispatcher, request } from 'undici'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import type { CheckSender } from './sender.ts'

/** What Event Grid and Entra are in one cloud. */
export interface EventGridCloud {
  readonly authorityHost: string
  /** Of tokens of version 1.0, in front of the tenant; those of 2.0 have the authority. */
  readonly tokenIssuer: string
  /** The application that Event Grid is to Entra. */
  readonly eventGridApp: string
}

/**
 * The clouds by their names as `az cloud` has them. The ids of Event Grid are those of Microsoft's
 * set-up script for protected webhooks, which has none for China.
 */
export const eventGridClouds: ReadonlyMap<string, EventGridCloud> = new Map([
  [
    'AzureCloud',
    {
      authorityHost: 'https://login.microsoftonline.com',
      tokenIssuer: 'https://sts.windows.net',
      eventGridApp: '4962773b-9cdb-44cf-a8bf-237846a00ab7',
    },
  ],
  [
    'AzureUSGovernment',
    {
      authorityHost: 'https://login.microsoftonline.us',
      tokenIssuer: 'https://sts.windows.net',
      eventGridApp: '54316b56-3481-47f9-8f30-0300f5542a7b',
    },
  ],
])

export interface EntraTokenOptions {
  readonly cloud: EventGridCloud
  /** A GUID in lower case. */
  readonly tenantId: string
  /** The client id of the webhook's application, or its application ID URI: as tokens have it. */
  readonly audience: string
  readonly clock: Clock
  /** By which Entra is reached for its keys. */
  readonly dispatcher: Dispatcher
}

/** What clocks may differ by, in seconds. */
const skew = 60
const keyTimeoutMs = 5_000
/** Keys are read again after this long, and for an unknown one at most once in `cooldownMs`. */
const keyAgeMs = 3_600_000
const cooldownMs = 30_000
/** Keys that could not be had are not asked for again before. */
const failurePauseMs = 5_000

/**
 * Knows the sender by the token that Entra gave Event Grid for the webhook's application. Issuer,
 * keys and Event Grid's own id follow from cloud and tenant, never from the token.
 */
export function entraToken(options: EntraTokenOptions): CheckSender {
  const { cloud, tenantId, audience, clock, dispatcher } = options
  const { authorityHost, tokenIssuer, eventGridApp } = cloud
  const keysUrl = new URL(`${authorityHost}/${tenantId}/discovery/v2.0/keys`)
  /** Each version of tokens has another issuer, and another claim for the caller. */
  const callerClaim = new Map([
    [`${tokenIssuer}/${tenantId}/`, 'appid'],
    [`${authorityHost}/${tenantId}/v2.0`, 'azp'],
  ])
  const keys = createRemoteJWKSet(keysUrl, {
    timeoutDuration: keyTimeoutMs,
    cacheMaxAge: keyAgeMs,
    cooldownDuration: cooldownMs,
    [customFetch]: sparing(clock, async (url, { signal }) => {
      const { statusCode, body } = await request(url, { dispatcher, signal })
      const text = await body.text()
      if (statusCode === 200) return new Response(text)
      throw new IssuerError('IdentityUnavailable', `Entra answered ${statusCode}`)
    }),
  })

  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['RS256'],
        issuer: [...callerClaim.keys()],
        audience,
        clockTolerance: skew,
        currentDate: new Date(clock.now()),
        requiredClaims: ['exp', 'nbf'],
      })
      const reason = troubleWith(payload, callerClaim.get(payload.iss ?? '') ?? '')
      return reason === undefined ? { kind: 'known' } : { kind: 'refused', reason }
    } catch (thrown) {
      const reason = refusalOf(thrown)
      if (reason !== undefined) return { kind: 'refused', reason }
      const message = `the keys of Entra could not be had from ${keysUrl.href}; tried again`
      const error = new IssuerError('IdentityUnavailable', message, { cause: thrown })
      return { kind: 'unavailable', error }
    }
  }

  function troubleWith(claims: JWTPayload, callerName: string): string | undefined {
    if (claims.tid !== tenantId) return `claim tid is not tenant ${tenantId}`
    if (claims[callerName] === eventGridApp) return undefined
    return `claim ${callerName} is not ${eventGridApp}, which is Event Grid`
  }
}

/** Strangers can have keys asked for: while Entra is out of reach, its last failure is the answer. */
function sparing(clock: Clock, fetchKeys: FetchImplementation): FetchImplementation {
  let failure: { readonly at: number; readonly thrown: unknown } | undefined
  return async (url, options) => {
    if (failure && clock.monotonic() - failure.at < failurePauseMs) throw failure.thrown
    try {
      const answer = await fetchKeys(url, options)
      failure = undefined
      return answer
    } catch (thrown) {
      failure = { at: clock.monotonic(), thrown }
      throw thrown
    }
  }
}

/** What is wrong with the token, in words of ours; `undefined` when it was not looked at. */
function refusalOf(thrown: unknown): string | undefined {
  if (thrown instanceof errors.JWTExpired) return 'the token has expired'
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    const what = thrown.reason === 'missing' ? 'is missing' : 'is not as expected'
    return `claim ${thrown.claim} ${what}`
  }
  return thrown instanceof errors.JOSEError ? refusals.get(thrown.code) : undefined
}

const refusals: ReadonlyMap<string, string> = new Map([
  [errors.JWSInvalid.code, 'it is no signed token'],
  [errors.JWTInvalid.code, 'it is no token with claims'],
  [errors.JOSEAlgNotAllowed.code, 'the token is not signed with RS256'],
  [errors.JOSENotSupported.code, 'the token needs what is not supported'],
  [errors.JWKSNoMatchingKey.code, 'the token is not signed by a key of the tenant'],
  [errors.JWKSMultipleMatchingKeys.code, 'the token does not name its key'],
  [errors.JWSSignatureVerificationFailed.code, 'the signature of the token is wrong'],
])
