import type { JsonWebKey } from 'node:crypto'
import { IssuerError } from '../error.ts'
import { parseClientCertificate } from './client_certificate.ts'
import { isJson, type Json } from './http.ts'

/** An app registration or user-assigned identity with its service principal. */
export interface Identity {
  readonly name: string
  readonly clientId: string
  readonly objectId: string
  readonly secrets: readonly string[]
  /** PEM of the certificates that it may sign assertions with. */
  readonly certificates: readonly string[]
  readonly federation: readonly FederatedCredential[]
  readonly permissions: readonly Permission[]
  /** Given out by the metadata endpoint, as a machine's own or one assigned to it. */
  readonly managed?: ManagedKind
}

export type ManagedKind = 'system' | 'user'

/** Compared exactly, case and trailing slash included, as Entra does. */
export interface FederatedCredential {
  readonly issuer: string
  readonly subject: string
  readonly audience: string
}

/** A role assignment: data actions on a scope. */
export interface Permission {
  /** Such as `keys/sign/action`; `Microsoft.KeyVault/vaults/` may lead, `*` may stand for a tail. */
  readonly actions: readonly string[]
  /** A vault's name; all vaults, but no Managed HSM, when absent. */
  readonly vault?: string
  /** One object, such as `keys/ca`; the whole vault when absent. */
  readonly object?: string
}

/** What options, files and the admin API say of an identity; the rest is filled in. */
export interface IdentityInput {
  readonly clientId: string
  readonly name?: string
  readonly objectId?: string
  readonly secrets?: readonly string[]
  readonly certificates?: readonly string[]
  readonly managed?: ManagedKind
  readonly federation?: readonly FederationInput[]
  readonly permissions?: readonly Permission[]
}

export interface FederationInput {
  readonly issuer: string
  readonly subject: string
  /** `api://AzureADTokenExchange` when absent. */
  readonly audience?: string
  /** The issuer's keys, such as `GET /openid/v1/jwks` of an API server returns. */
  readonly jwks?: { readonly keys: readonly JsonWebKey[] }
}

export const defaultAudience = 'api://AzureADTokenExchange'
export const actionPrefix = 'Microsoft.KeyVault/vaults/'

export function identityFrom(input: IdentityInput, objectId: string): Identity {
  return {
    name: input.name ?? input.clientId,
    clientId: input.clientId.toLowerCase(),
    objectId: input.objectId ?? objectId,
    secrets: input.secrets ?? [],
    certificates: (input.certificates ?? []).map(parseClientCertificate),
    ...(input.managed && { managed: input.managed }),
    federation: (input.federation ?? []).map(federatedCredentialFrom),
    permissions: input.permissions ?? [],
  }
}

export function federatedCredentialFrom(input: FederationInput): FederatedCredential {
  const { issuer, subject, audience = defaultAudience } = input
  return { issuer, subject, audience }
}

/**
 * A Managed HSM has assignments of its own: what is given for all vaults is not given there.
 *
 * @param object `keys/name`, or empty for an operation on the vault, such as a list
 */
export function isAllowed(
  identity: Identity,
  action: string,
  vault: string,
  object: string,
  isManagedHsm: boolean,
): boolean {
  return identity.permissions.some(
    (permission) =>
      permission.actions.some((allowed) => covers(allowed, action)) &&
      (permission.vault === undefined ? !isManagedHsm : same(permission.vault, vault)) &&
      (permission.object === undefined || same(permission.object, object)),
  )
}

/** Reads what an identities file or the admin API hands over. */
export function parseIdentityInput(value: unknown): IdentityInput {
  const json = jsonObject(value, 'an identity')
  return {
    clientId: string(json, 'clientId'),
    ...optionalString(json, 'name'),
    ...optionalString(json, 'objectId'),
    secrets: strings(json, 'secrets'),
    certificates: strings(json, 'certificates'),
    ...parseManaged(json.managed),
    federation: list(json, 'federation').map(parseFederationInput),
    permissions: list(json, 'permissions').map(parsePermission),
  }
}

export function parseFederationInput(value: unknown): FederationInput {
  const json = jsonObject(value, 'a federated credential')
  const keys = json.jwks === undefined ? undefined : list(jsonObject(json.jwks, 'jwks'), 'keys')
  return {
    issuer: string(json, 'issuer'),
    subject: string(json, 'subject'),
    ...optionalString(json, 'audience'),
    ...(keys && { jwks: { keys: keys.map((key) => jsonObject(key, 'a JSON web key')) } }),
  }
}

function parseManaged(value: unknown): { readonly managed?: ManagedKind } {
  if (value === undefined) return {}
  if (value === 'system' || value === 'user') return { managed: value }
  throw new IssuerError('SpecInvalid', 'managed must be "system" or "user"')
}

function parsePermission(value: unknown): Permission {
  const json = jsonObject(value, 'a permission')
  return {
    actions: strings(json, 'actions'),
    ...optionalString(json, 'vault'),
    ...optionalString(json, 'object'),
  }
}

function covers(allowed: string, action: string): boolean {
  const pattern = withoutPrefix(allowed).toLowerCase()
  const wanted = withoutPrefix(action).toLowerCase()
  return pattern.endsWith('*') ? wanted.startsWith(pattern.slice(0, -1)) : pattern === wanted
}

function withoutPrefix(action: string): string {
  return same(action.slice(0, actionPrefix.length), actionPrefix)
    ? action.slice(actionPrefix.length)
    : action
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

function jsonObject(value: unknown, what: string): Json {
  if (isJson(value)) return value
  throw new IssuerError('SpecInvalid', `${what} must be a JSON object`)
}

function string(json: Json, field: string): string {
  const value = json[field]
  if (typeof value === 'string' && value !== '') return value
  throw new IssuerError('SpecInvalid', `${field} must be a string that is not empty`)
}

function optionalString<F extends string>(json: Json, field: F): { readonly [K in F]?: string } {
  const result: Partial<Record<F, string>> = {}
  if (json[field] !== undefined) result[field] = string(json, field)
  return result
}

function list(json: Json, field: string): readonly unknown[] {
  const value = json[field] ?? []
  if (Array.isArray(value)) return value
  throw new IssuerError('SpecInvalid', `${field} must be a list`)
}

function strings(json: Json, field: string): readonly string[] {
  return list(json, field).map((value) => {
    if (typeof value === 'string') return value
    throw new IssuerError('SpecInvalid', `${field} must be a list of strings`)
  })
}
