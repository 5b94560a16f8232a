/**
 * The token service of Entra ID, as far as an app without a user needs it. The shapes of discovery,
 * token and error answers are those that msal reads and public issues show.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { isOwnAssertion, troubleWithOwnAssertion } from './client_certificate.ts'
import {
  malformedAssertion,
  missingField,
  noCredential,
  noResource,
  type OAuthError,
  statusOf,
  type Trouble,
  unknownClient,
  unknownTenant,
  wrongScope,
  wrongSecret,
} from './entra_errors.ts'
import { authorityHost, instances, metadata } from './entra_metadata.ts'
import { troubleWithFederatedAssertion } from './federated_assertion.ts'
import type { Answer } from './http.ts'
import type { Identity } from './identities.ts'
import type { State } from './state.ts'
import { parseToken, type TokenSigner } from './tokens.ts'

export const vaultResource = 'https://vault.azure.net'

/** What Entra knows as resources; only the first is of use here. */
const resources = new Set([vaultResource, 'https://managedhsm.azure.net'])

/** Seconds. Entra varies between 60 and 90 minutes. */
const tokenLifetime = 3599

export interface EntraRequest {
  readonly method: string
  /** Scheme and authority under which the client sees this server. */
  readonly origin: string
  readonly path: readonly string[]
  readonly query: URLSearchParams
  readonly body: string
}

export interface EntraAnswer extends Answer {
  readonly operation: string
  readonly clientId?: string
}

/** Times in seconds. */
export interface IssuedToken {
  readonly accessToken: string
  readonly lifetime: number
  readonly notBefore: number
  readonly expiresOn: number
}

export class Entra {
  readonly #state: State
  readonly #signer: TokenSigner
  readonly #clock: Clock
  readonly #random: Random

  constructor(state: State, signer: TokenSigner, clock: Clock, random: Random) {
    this.#state = state
    this.#signer = signer
    this.#clock = clock
    this.#random = random
  }

  answer(request: EntraRequest): EntraAnswer {
    const [tenant = '', ...rest] = request.path
    const route = `${request.method} ${rest.join('/')}`
    if (tenant === 'common' && route === 'GET discovery/instance') {
      return {
        operation: 'entra/instance',
        status: 200,
        headers,
        body: instances(this.#state.tenantId),
      }
    }
    const known = tenant.toLowerCase() === this.#state.tenantId
    switch (route) {
      case 'GET v2.0/.well-known/openid-configuration': {
        const operation = 'entra/openid-configuration'
        if (!known) return { operation, ...this.#refuse('invalid_tenant', unknownTenant(tenant)) }
        return { operation, status: 200, headers, body: metadata(request.origin, tenant) }
      }
      case 'GET discovery/v2.0/keys':
        return {
          operation: 'entra/keys',
          status: 200,
          headers,
          body: { keys: [this.#signer.publicJwk] },
        }
      case 'POST oauth2/v2.0/token': {
        const form = new URLSearchParams(request.body)
        const clientId = form.get('client_id') ?? ''
        const answer = known
          ? this.#token(form)
          : this.#refuse('invalid_request', unknownTenant(tenant))
        return { operation: 'entra/token', clientId, ...answer }
      }
      default:
        return { operation: 'entra/unknown', status: 404, headers: {} }
    }
  }

  #token(form: URLSearchParams): Answer {
    for (const field of ['grant_type', 'client_id', 'scope']) {
      if (!form.get(field)) return this.#refuse('invalid_request', missingField(field))
    }
    const grantType = form.get('grant_type') ?? ''
    if (grantType !== 'client_credentials') {
      return this.#refuse('unsupported_grant_type', {
        code: 70003,
        text: `The app requested an unsupported grant type '${grantType}'.`,
      })
    }
    const clientId = form.get('client_id') ?? ''
    const identity = this.#state.identities.find((one) => one.clientId === clientId.toLowerCase())
    if (identity === undefined) return this.#refuse('unauthorized_client', unknownClient(clientId))

    const refusal = this.#authenticate(form, identity)
    if (refusal !== undefined) return refusal

    const scope = form.get('scope') ?? ''
    const resource = scope
      .split(' ')
      .filter((part) => part.endsWith('/.default'))
      .map((part) => part.slice(0, -'/.default'.length))[0]
    if (resource === undefined) return this.#refuse('invalid_scope', wrongScope(scope))
    return this.#issue(identity, resource)
  }

  #issue(identity: Identity, resource: string): Answer {
    const token = this.tokenFor(identity, resource)
    if (token === undefined) return this.#refuse('invalid_resource', noResource(resource))
    const body = {
      token_type: 'Bearer',
      expires_in: token.lifetime,
      ext_expires_in: token.lifetime,
      access_token: token.accessToken,
    }
    return { status: 200, headers, body }
  }

  /** An access token for one of the known resources. */
  tokenFor(identity: Identity, resource: string): IssuedToken | undefined {
    if (!resources.has(resource)) return undefined
    const claims = {
      ...this.#claims(resource, '1.0'),
      appid: identity.clientId,
      appidacr: identity.secrets.length > 0 ? '1' : '2',
      oid: identity.objectId,
      sub: identity.objectId,
    }
    return {
      accessToken: this.#signer.issue(claims),
      lifetime: tokenLifetime,
      notBefore: claims.nbf,
      expiresOn: claims.exp,
    }
  }

  /** What Event Grid shows a webhook that is protected by the application `audience`. */
  eventGridToken(audience: string, version: '1.0' | '2.0'): string {
    return this.#signer.issue({
      ...this.#claims(audience, version),
      ...(version === '1.0'
        ? { appid: eventGridApp, appidacr: '2' }
        : { azp: eventGridApp, azpacr: '2' }),
      roles: ['AzureEventGridSecureWebhookSubscriber'],
      oid: eventGridObject,
      sub: eventGridObject,
    })
  }

  #claims(audience: string, version: '1.0' | '2.0') {
    const { tenantId } = this.#state
    const now = Math.floor(this.#clock.now() / 1000)
    const first = `https://sts.windows.net/${tenantId}/`
    const issuer = version === '1.0' ? first : `https://${authorityHost}/${tenantId}/v2.0`
    return {
      aud: audience,
      iss: issuer,
      iat: now - 300,
      nbf: now - 300,
      exp: now + tokenLifetime,
      aio: Buffer.from(this.#random.bytes(24)).toString('base64'),
      idp: first,
      tid: tenantId,
      uti: Buffer.from(this.#random.bytes(16)).toString('base64url'),
      ver: version,
    }
  }

  #authenticate(form: URLSearchParams, identity: Identity): Answer | undefined {
    const secret = form.get('client_secret')
    if (secret !== null) {
      if (identity.secrets.some((one) => equal(one, secret))) return undefined
      return this.#refuse('invalid_client', wrongSecret(identity.clientId))
    }
    const assertion = form.get('client_assertion')
    if (assertion === null) return this.#refuse('invalid_client', noCredential)
    if (form.get('client_assertion_type') !== jwtBearer) {
      return this.#refuse('invalid_request', missingField('client_assertion_type'))
    }
    const token = parseToken(assertion)
    const trouble =
      token === undefined
        ? malformedAssertion
        : isOwnAssertion(token, identity.clientId)
          ? troubleWithOwnAssertion(token, identity, this.#state.tenantId, this.#clock.now())
          : troubleWithFederatedAssertion(token, identity, this.#state, this.#clock.now())
    return trouble && this.#refuse('invalid_client', trouble)
  }

  #refuse(error: OAuthError, trouble: Trouble): Answer {
    const timestamp = `${new Date(this.#clock.now()).toISOString().slice(0, 19).replace('T', ' ')}Z`
    const traceId = this.#guid()
    const correlationId = this.#guid()
    return {
      status: statusOf[error],
      headers,
      body: {
        error,
        error_description: `AADSTS${trouble.code}: ${trouble.text} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
        error_codes: [trouble.code],
        timestamp,
        trace_id: traceId,
        correlation_id: correlationId,
        error_uri: `https://${authorityHost}/error?code=${trouble.code}`,
      },
    }
  }

  #guid(): string {
    const hex = Buffer.from(this.#random.bytes(16)).toString('hex')
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
}

const headers = { 'Cache-Control': 'no-store, no-cache', Pragma: 'no-cache', Expires: '-1' }
/** Microsoft.EventGrid, and its service principal in our tenant. */
const eventGridApp = '4962773b-9cdb-44cf-a8bf-237846a00ab7'
const eventGridObject = '44444444-4444-4444-4444-444444444444'
const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

function equal(one: string, other: string): boolean {
  const a = Buffer.from(one)
  const b = Buffer.from(other)
  return a.length === b.length && timingSafeEqual(a, b)
}
