import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { callerOf } from './access.ts'
import type { Behaviour } from './behaviour.ts'
import { certificateOperations } from './certificates.ts'
import type { VaultKind } from './clouds.ts'
import { badParameter, forbiddenByRbac, region, throttled, vaultError } from './errors.ts'
import { type Answer, isJson, type Json, Refusal } from './http.ts'
import { actionPrefix, type Identity, isAllowed } from './identities.ts'
import { keyOperations } from './keys.ts'
import { Lifecycle } from './lifecycle.ts'
import { forbiddenByLocalRbac } from './managed_hsm.ts'
import { newVersionId } from './objects.ts'
import { type Call, type Match, match } from './operation.ts'
import { chargeOf, type Quota } from './quota.ts'
import { secretOperations } from './secrets.ts'
import type { SettableClock } from './settable_clock.ts'
import type { State, VaultState } from './state.ts'
import type { TokenSigner } from './tokens.ts'

export interface VaultRequest {
  readonly vault: VaultState
  readonly kind: VaultKind
  readonly origin: string
  readonly method: string
  readonly path: readonly string[]
  readonly query: URLSearchParams
  readonly authorization: string | undefined
  readonly body: string
}

/** What was asked, as far as the path tells it. */
export interface Asked {
  readonly operation: string
  readonly name: string
  readonly version: string
}

const vaultOperations = [...keyOperations, ...certificateOperations, ...secretOperations]

/** Stable versions of the data plane; previews are refused. */
const apiVersions = new Set(['7.4', '7.5', '7.6', '2025-07-01', '2026-04-01'])

export interface DataPlaneParts {
  readonly state: State
  readonly signer: TokenSigner
  readonly quota: Quota
  readonly behaviour: Behaviour
  /** The machine's, for tokens and quotas. */
  readonly clock: Clock
  /** For everything that vaults hold. */
  readonly vaultClock: SettableClock
  readonly random: Random
  /** Told when something in the vault changed. */
  onChange(vault: VaultState): void
  /** Resolves when what is answered is also on the disk. */
  saved(): Promise<void>
}

export class DataPlane {
  readonly #parts: DataPlaneParts
  readonly #lifecycle: Lifecycle

  constructor(parts: DataPlaneParts) {
    this.#parts = parts
    this.#lifecycle = new Lifecycle(parts.behaviour, parts.random)
  }

  asked(request: VaultRequest): Asked {
    const found = matched(request)
    if (found === undefined) return { operation: 'vault/unknown', name: '', version: '' }
    const { operation, name, version } = found
    return { operation: operation.operation, name, version }
  }

  /** Throws the 401 challenge. Comes before anything else is looked at (recorded). */
  authenticate(request: VaultRequest): Identity {
    const { state, signer, clock } = this.#parts
    return callerOf(request.authorization, request.kind, state, signer, clock)
  }

  /** Everything after authentication. */
  async serve(request: VaultRequest, identity: Identity): Promise<Answer> {
    const apiVersion = checkedApiVersion(request.query)
    const found = this.#found(request)
    const { operation, name } = found
    const { action } = operation
    const object = name === '' ? '' : `${action.split('/')[0]}/${name}`
    const { isManagedHsm } = request.kind
    if (!isAllowed(identity, action, request.vault.name, object, isManagedHsm)) {
      if (isManagedHsm) {
        throw forbiddenByLocalRbac(action, object, newVersionId(this.#parts.random))
      }
      throw forbiddenByRbac({
        clientId: identity.clientId,
        objectId: identity.objectId,
        tenantId: this.#parts.state.tenantId,
        action: `${actionPrefix}${action}`,
        vault: request.vault.name,
        object,
      })
    }
    const body = parseBody(request)
    // A Managed HSM is slow rather than throttled (documented).
    if (!isManagedHsm) this.#meter(request.vault, found, body)
    return await this.#run(request, found, apiVersion, body)
  }

  /** For the admin API: the same operations without token, permission or quota. */
  async serveUnchecked(request: VaultRequest): Promise<Answer> {
    try {
      return await this.#run(request, this.#found(request), '2025-07-01', parseBody(request))
    } catch (thrown) {
      if (thrown instanceof Refusal) return thrown.answer
      throw thrown
    }
  }

  #found(request: VaultRequest): Match {
    const found = matched(request)
    if (found === undefined) {
      const path = request.path.join('/')
      throw vaultError(404, 'NotFound', `This dev vault does not offer ${request.method} /${path}.`)
    }
    const { name, version } = found
    if (found.operation.route.includes('{name}') && !/^[0-9a-zA-Z-]{1,127}$/.test(name)) {
      throw badParameter(`The request URI contains an invalid name: ${name}`)
    }
    if (version !== '' && !/^[0-9a-fA-F]{32}$/.test(version)) {
      throw badParameter(`The request URI contains an invalid version: ${version}`)
    }
    return found
  }

  #meter(vault: VaultState, { operation, name, version }: Match, body: Json): void {
    const entry = vault.keys.live.get(name.toLowerCase())
    const key = entry?.versions.find((one) => one.version === version) ?? entry?.versions.at(-1)
    const { quota, clock } = this.#parts
    const charge = chargeOf(operation.operation, key, body)
    if (quota.take(vault.name, charge, clock.now())) return
    throw throttled(quota.settings.retryAfterSeconds)
  }

  async #run(request: VaultRequest, found: Match, apiVersion: string, body: Json): Promise<Answer> {
    const { vaultClock, random, behaviour, onChange, saved } = this.#parts
    const nowMs = vaultClock.now()
    const settled = this.#lifecycle.settle(request.vault, nowMs)
    const changes = !readOnly.test(`${request.method} ${found.operation.operation}`)
    const call: Call = {
      vault: request.vault,
      isManagedHsm: request.kind.isManagedHsm,
      origin: request.origin,
      name: found.name,
      version: found.version,
      query: request.query,
      apiVersion,
      body,
      nowMs,
      random,
      behaviour: behaviour.settings,
    }
    try {
      return await found.operation.run(call)
    } finally {
      if (changes) this.#lifecycle.changed(request.vault)
      if (changes || settled) {
        onChange(request.vault)
        await saved()
      }
    }
  }
}

/** Signing takes no state along. */
const readOnly = /^GET |^POST keys\/sign$/

/** The headers of every answer of the vault (recorded; region and version are our own). */
export function vaultHeaders(
  requestId: string,
  clientRequestId: string | undefined,
  authorised: boolean,
): Record<string, string> {
  return {
    'Cache-Control': 'no-cache',
    Pragma: 'no-cache',
    Expires: '-1',
    ...(clientRequestId !== undefined && { 'x-ms-client-request-id': clientRequestId }),
    'x-ms-keyvault-region': region,
    'x-ms-request-id': requestId,
    'x-ms-keyvault-service-version': '1.9.3347.1',
    'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;',
    ...(authorised && { 'x-ms-keyvault-rbac-assignment-id': '00000000000000000000000000d0e500' }),
    'X-Content-Type-Options': 'nosniff',
    'Strict-Transport-Security': 'max-age=31536000;includeSubDomains',
  }
}

function matched({ kind, method, path }: VaultRequest): Match | undefined {
  return match(kind.isManagedHsm ? keyOperations : vaultOperations, method, path)
}

function checkedApiVersion(query: URLSearchParams): string {
  const version = query.get('api-version')
  if (version === null) throw badParameter('api-version must be specified')
  if (apiVersions.has(version)) return version
  throw badParameter(`Invalid api-version: ${version}`)
}

function parseBody(request: VaultRequest): Json {
  // A recovery has no body at all (recorded).
  if (request.method === 'GET' || request.body === '') return {}
  if (request.method === 'DELETE') return {}
  try {
    const body: unknown = JSON.parse(request.body)
    if (isJson(body)) return body
  } catch {}
  throw badParameter('The request body is not a JSON object.')
}
