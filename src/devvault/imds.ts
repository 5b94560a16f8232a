/**
 * The token endpoint of a virtual machine's metadata service, in the public cloud: plain HTTP, known by a header. Shapes
 * and error texts are documented or reported in public issues unless marked as believed.
 */
import { publicCloud } from './clouds.ts'
import type { Entra } from './entra.ts'
import type { Answer, Target } from './http.ts'
import type { Identity } from './identities.ts'
import type { State } from './state.ts'

export interface ImdsRequest {
  readonly method: string
  readonly target: Target
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

export interface ImdsAnswer extends Answer {
  readonly operation: string
  readonly clientId: string
}

const tokenPath = 'metadata/identity/oauth2/token'

export function answerImds(request: ImdsRequest, state: State, entra: Entra): ImdsAnswer {
  const operation = 'imds/token'
  const { method, target, headers } = request
  if (target.path.join('/').toLowerCase() !== tokenPath) {
    return { operation: 'imds/unknown', clientId: '', ...refusal(404, 'not_found', 'Not found') }
  }
  const refuse = (description: string, status = 400) => ({
    operation,
    clientId: '',
    ...refusal(status, 'invalid_request', description),
  })
  if (String(headers.metadata).toLowerCase() !== 'true') {
    return refuse('Required metadata header not specified')
  }
  // Documented: a request that came through a proxy is not answered.
  if (headers['x-forwarded-for'] !== undefined) return refuse('Request must not be forwarded')
  if (method !== 'GET') return refuse(`The requested method ${method} is not allowed`, 405)
  const { query } = target
  if (!query.has('api-version')) return refuse("Required query variable 'api-version' is missing")
  const resource = query.get('resource')?.replace(/\/$/, '')
  if (!resource) return refuse("Required query variable 'resource' is missing")
  const identity = chosen(query, state.identities)
  if (identity === 'none') return refuse('Identity not found')
  if (identity === 'several') {
    return refuse(
      'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
    )
  }
  const token = entra.tokenFor(publicCloud, identity, resource)
  if (token === undefined) {
    // Believed: Entra's refusal is passed on.
    return refuse(`AADSTS500011: The resource principal named ${resource} was not found`)
  }
  return {
    operation,
    clientId: identity.clientId,
    status: 200,
    body: {
      access_token: token.accessToken,
      client_id: identity.clientId,
      expires_in: String(token.lifetime),
      expires_on: String(token.expiresOn),
      ext_expires_in: String(token.lifetime),
      not_before: String(token.notBefore),
      resource,
      token_type: 'Bearer',
    },
  }
}

/**
 * By client or object id; without one the system's own identity, or the only user-assigned one
 * (documented).
 */
function chosen(
  query: URLSearchParams,
  identities: readonly Identity[],
): Identity | 'none' | 'several' {
  const managed = identities.filter((one) => one.managed !== undefined)
  const clientId = query.get('client_id')?.toLowerCase()
  if (clientId !== undefined) {
    return managed.find((one) => one.clientId === clientId) ?? 'none'
  }
  const objectId = query.get('object_id')?.toLowerCase()
  if (objectId !== undefined) {
    return managed.find((one) => one.objectId.toLowerCase() === objectId) ?? 'none'
  }
  // Resource ids of Azure mean nothing here.
  if (query.has('mi_res_id') || query.has('msi_res_id')) return 'none'
  const system = managed.find((one) => one.managed === 'system')
  if (system) return system
  const [only, ...others] = managed
  if (only === undefined) return 'none'
  return others.length === 0 ? only : 'several'
}

function refusal(status: number, error: string, description: string): Answer {
  return { status, body: { error, error_description: description } }
}
