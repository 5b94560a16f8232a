import type { JsonWebKey } from 'node:crypto'
import type { Identity } from './identities.ts'
import type { ServerIdentity } from './tls.ts'

/**
 * Everything a dev vault knows: plain values, arrays and Maps, without keys of node:crypto,
 * functions or sockets, so that it can be written to a file and read back.
 */
export interface State {
  readonly tenantId: string
  /** The CA that clients trust stays the same over restarts; replaced shortly before its end. */
  server: ServerIdentity
  /** Milliseconds that what vaults hold is ahead of the machine's clock. */
  clockOffset: number
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
  /** By lower-case certificate name, deleted ones included. */
  readonly issuance: Map<string, Issuance>
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
  /** Milliseconds since the Unix epoch: before that the deletion is still going on. */
  readonly shownFrom: number
  /** When it is live again, after its recovery was asked for; milliseconds likewise. */
  recoveredAt?: number
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
  /** Base64 DER of the leaf; absent while the first version is on its way. */
  readonly cer?: string
  readonly preserveCertOrder?: boolean
}

/** How versions of a certificate come about: its policy, and the operation that makes the next. */
export interface Issuance {
  policy: CertificatePolicy
  /** Unix seconds, of the policy. */
  readonly created: number
  updated: number
  pending?: PendingOperation
}

export interface PendingOperation {
  readonly requestId: string
  readonly issuer: string
  /** Base64 DER. */
  readonly csr: string
  /** The private key of the version to come. */
  readonly jwk: JsonWebKey
  /** Of the version to come. */
  readonly enabled: boolean
  readonly tags?: Tags
  readonly preserveCertOrder?: boolean
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number
  /** When the issuer answers; never where a merge is waited for. */
  readonly readyAt?: number
  /** What the issuer is going to answer instead of a certificate. */
  readonly failure?: { readonly code: string; readonly message: string }
  status: 'inProgress' | 'completed' | 'cancelled' | 'failed'
  cancellationRequested: boolean
}

/** As the service shows it, without id and attributes. */
export interface CertificatePolicy {
  readonly key_props: {
    readonly exportable: boolean
    readonly kty: KeyType
    readonly key_size: number
    readonly reuse_key: boolean
    readonly crv?: string
  }
  readonly secret_props: { readonly contentType: string }
  readonly x509_props: {
    readonly subject: string
    readonly sans?: AlternativeNames
    readonly ekus: readonly string[]
    readonly key_usage: readonly string[]
    readonly validity_months: number
    readonly basic_constraints: { readonly ca: boolean }
  }
  readonly lifetime_actions: readonly LifetimeAction[]
  readonly issuer: {
    readonly name: string
    readonly cty?: string
    readonly cert_transparency?: boolean
  }
}

/** Under their names on the wire; the last two came with API version 2025-07-01. */
export interface AlternativeNames {
  readonly emails?: readonly string[]
  readonly dns_names?: readonly string[]
  readonly upns?: readonly string[]
  readonly uris?: readonly string[]
  readonly ipAddresses?: readonly string[]
}

export interface LifetimeAction {
  readonly trigger: {
    readonly lifetime_percentage?: number
    readonly days_before_expiry?: number
  }
  readonly action: { readonly action_type: 'AutoRenew' | 'EmailContacts' }
}

export interface SecretVersion extends Version {
  readonly value: string
  contentType?: string
  readonly managed: boolean
}

export function emptyVault(name: string): VaultState {
  return { name, keys: empty(), certificates: empty(), secrets: empty(), issuance: new Map() }
}

function empty<V>(): Collection<V> {
  return { live: new Map(), deleted: new Map() }
}
