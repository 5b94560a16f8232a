import type { JsonWebKey } from 'node:crypto'
import type { Identity } from './identities.ts'

/**
 * Everything a dev vault knows: plain values, arrays and Maps, without keys of node:crypto,
 * functions or sockets, so that it can be written to a file and read back.
 */
export interface State {
  readonly tenantId: string
  /** Signs access tokens; a private JWK with its `kid`. */
  readonly tokenKey: JsonWebKey
  readonly identities: Identity[]
  /** Keys of the OIDC issuers (Kubernetes clusters) whose tokens are taken as assertions. */
  readonly issuerKeys: Map<string, readonly JsonWebKey[]>
  /** By lower-case vault name. */
  readonly vaults: Map<string, VaultState>
}

export interface VaultState {
  readonly name: string
  readonly keys: Collection<KeyVersion>
  readonly certificates: Collection<CertificateVersion>
  readonly secrets: Collection<SecretVersion>
}

/** Objects of one kind by lower-case name: identifiers compare without regard to case. */
export interface Collection<V> {
  readonly live: Map<string, Entry<V>>
  readonly deleted: Map<string, DeletedEntry<V>>
}

export interface Entry<V> {
  readonly name: string
  /** Oldest first; the last one is what a request without a version gets, even when disabled. */
  readonly versions: V[]
}

export interface DeletedEntry<V> {
  readonly entry: Entry<V>
  /** Unix seconds. */
  readonly deletedDate: number
}

export type Tags = Readonly<Record<string, string>>

/** Times in Unix seconds. */
export interface Attributes {
  readonly enabled: boolean
  readonly nbf?: number
  readonly exp?: number
  readonly created: number
  readonly updated: number
}

export interface Version {
  /** 32 hexadecimal digits. */
  readonly version: string
  attributes: Attributes
  tags?: Tags
}

export const keyTypes = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM'] as const
export type KeyType = (typeof keyTypes)[number]

export interface KeyVersion extends Version {
  readonly kty: KeyType
  /** The private key. */
  readonly jwk: JsonWebKey
  keyOps: readonly string[]
  /** Made for a certificate of the same name and version. */
  readonly managed: boolean
}

export interface CertificateVersion extends Version {
  /** Base64 DER of the leaf. */
  readonly cer: string
  /** As the service shows it, without id and attributes. */
  readonly policy: CertificatePolicy
  readonly preserveCertOrder?: boolean
}

export interface CertificatePolicy {
  readonly key_props: Readonly<Record<string, unknown>>
  readonly secret_props: { readonly contentType: string }
  readonly x509_props: Readonly<Record<string, unknown>>
  readonly lifetime_actions: readonly unknown[]
  readonly issuer: { readonly name: string }
}

export interface SecretVersion extends Version {
  readonly value: string
  contentType?: string
  readonly managed: boolean
}

export function emptyVault(name: string): VaultState {
  return { name, keys: empty(), certificates: empty(), secrets: empty() }
}

function empty<V>(): Collection<V> {
  return { live: new Map(), deleted: new Map() }
}
