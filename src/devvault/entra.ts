/**
 * The token service of Entra ID, as far as an app without a user needs it. The shapes of discovery,
 * token and error answers are those that msal reads and public issues show.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { isOwnAssertion, troubleWithOwnAssertion } from './client_certificate.ts'
import { type Cloud, publicCloud, vaultKinds } from './clouds.ts'
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
import { instances, metadata } from './entra_metadata.ts'
import { troubleWithFederatedAssertion } from './federated_assertion.ts'
import type { Answer } from './http.ts'
import type { Identity } from './identities.ts'
import type { State } from './state.ts'
import { parseToken, type TokenSigner } from './tokens.ts'

/** Seconds. Entra varies between 60 and 90 minutes. */
const tokenLifetime = 3599

export interface EntraRequest {
  /** Whose Entra is asked. */
  readonly cloud: Cloud
  readonly method: string
  /** Under which the client sees this server, with a port if there is one. */
  readonly host: string
  readonly path: readonly string[]
  readonly query: URLSearchParams
  readonly body: string
}

export interface EntraAnswer extends Answer {
  readonly operation: string
  readonly clientId?: string
  /** What a token was asked for. */
  readonly resource?: string
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
    const { cloud } = request
    const [tenant = '', ...rest] = request.path
    const route = `${request.method} ${rest.join('/')}`
    if (tenant === 'common' && route === 'GET discovery/instance') {
      return {
        operation: 'entra/instance',
        status: 200,
        headers,
        body: instances(cloud.authorityHost, this.#state.tenantId),
      }
    }
    const known = tenant.toLowerCase() === this.#state.tenantId
    switch (route) {
      case 'GET v2.0/.well-known/openid-configuration': {
        const operation = 'entra/openid-configuration'
        if (!known) {
          return { operation, ...this.#refuse(cloud, 'invalid_tenant', unknownTenant(tenant)) }
        }
        return { operation, status: 200, headers, body: metadata(cloud, request.host, tenant) }
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
        const resource = resourceIn(form) ?? ''
        const answer = known
          ? this.#token(cloud, form)
          : this.#refuse(cloud, 'invalid_request', unknownTenant(tenant))
        return { operation: 'entra/token', clientId, resource, ...answer }
      }
      default:
        return { operation: 'entra/unknown', status: 404, headers: {} }
    }
  }

  #token(cloud: Cloud, form: URLSearchParams): Answer {
    const refuse = (error: OAuthError, trouble: Trouble) => this.#refuse(cloud, error, trouble)
    for (const field of ['grant_type', 'client_id', 'scope']) {
      if (!form.get(field)) return refuse('invalid_request', missingField(field))
    }
    const grantType = form.get('grant_type') ?? ''
    if (grantType !== 'client_credentials') {
      return refuse('unsupported_grant_type', {
        code: 70003,
        text: `The app requested an unsupported grant type '${grantType}'.`,
      })
    }
    const clientId = form.get('client_id') ?? ''
    const identity = this.#state.identities.find((one) => one.clientId === clientId.toLowerCase())
    if (identity === undefined) return refuse('unauthorized_client', unknownClient(clientId))

    const refusal = this.#authenticate(form, identity)
    if (refusal !== undefined) return refuse(...refusal)

    const resource = resourceIn(form)
    if (resource === undefined) {
      return refuse('invalid_scope', wrongScope(form.get('scope') ?? ''))
    }
    const token = this.tokenFor(cloud, identity, resource)
    if (token === undefined) return refuse('invalid_resource', noResource(resource))
    const body = {
      token_type: 'Bearer',
      expires_in: token.lifetime,
      ext_expires_in: token.lifetime,
      access_token: token.accessToken,
    }
    return { status: 200, headers, body }
  }

  /** An access token for one of the resources that the cloud's Entra knows, and for no other. */
  tokenFor(cloud: Cloud, identity: Identity, resource: string): IssuedToken | undefined {
    if (!vaultKinds.some((kind) => kind.cloud === cloud && kind.resource === resource)) return
    const claims = {
      ...this.#claims(cloud, resource, '1.0'),
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
      ...this.#claims(publicCloud, audience, version),
      ...(version === '1.0'
        ? { appid: eventGridApp, appidacr: '2' }
        : { azp: eventGridApp, azpacr: '2' }),
      roles: ['AzureEventGridSecureWebhookSubscriber'],
      oid: eventGridObject,
      sub: eventGridObject,
    })
  }

  #claims(cloud: Cloud, audience: string, version: '1.0' | '2.0') {
    const { tenantId } = this.#state
    const now = Math.floor(this.#clock.now() / 1000)
    const first = `${cloud.tokenIssuer}/${tenantId}/`
    const issuer = version === '1.0' ? first : `https://${cloud.preferredHost}/${tenantId}/v2.0`
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

  #authenticate(form: URLSearchParams, identity: Identity): [OAuthError, Trouble] | undefined {
    const secret = form.get('client_secret')
    if (secret !== null) {
      if (identity.secrets.some((one) => equal(one, secret))) return undefined
      return ['invalid_client', wrongSecret(identity.clientId)]
    }
    const assertion = form.get('client_assertion')
    if (assertion === null) return ['invalid_client', noCredential]
    if (form.get('client_assertion_type') !== jwtBearer) {
      return ['invalid_request', missingField('client_assertion_type')]
    }
    const token = parseToken(assertion)
    const trouble =
      token === undefined
        ? malformedAssertion
        : isOwnAssertion(token, identity.clientId)
          ? troubleWithOwnAssertion(token, identity, this.#state.tenantId, this.#clock.now())
          : troubleWithFederatedAssertion(token, identity, this.#state, this.#clock.now())
    return trouble && ['invalid_client', trouble]
  }

  #refuse(cloud: Cloud, error: OAuthError, trouble: Trouble): Answer {
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
        error_uri: `https://${cloud.authorityHost}/error?code=${trouble.code}`,
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

/** Of the scope `<resource>/.default`. */
function resourceIn(form: URLSearchParams): string | undefined {
  const scopes = (form.get('scope') ?? '').split(' ')
  return scopes.find((part) => part.endsWith('/.default'))?.slice(0, -'/.default'.length)
}

function equal(one: string, other: string): boolean {
  const a = Buffer.from(one)
  const b = Buffer.from(other)
  return a.length === b.length && timingSafeEqual(a, b)
}
