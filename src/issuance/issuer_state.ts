import { isDeepStrictEqual } from 'node:util'
import type { DeliverableEntry } from '../api/delivery.ts'
import type { ErrorCode } from '../error.ts'
import { type Authority, pathOf } from '../pki/authority.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { InformationUrls } from '../pki/information_urls.ts'
import type { KubernetesCsrPolicy } from '../pki/kubernetes_csr_policy.ts'
import type { Policy } from '../pki/policy.ts'
import type { RootBundle } from '../pki/roots.ts'
import type { DirectoryEntry, VaultPlace } from '../vault/certificate_directory.ts'
import type { ObjectVersion, Vault } from '../vault/vault.ts'

/** What is known of an issuer now. Only a `ready` one has anything to answer with. */
export type IssuerState =
  /** Not looked at yet by this process; will be at once. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'suspended' }
  | { readonly kind: 'not-ready'; readonly code: ErrorCode; readonly message: string }
  | ReadyState

export type ReadyState =
  | {
      readonly kind: 'ready'
      readonly mode: 'sign'
      readonly signer: Signer
      readonly next: NextCa | undefined
    }
  | {
      readonly kind: 'ready'
      readonly mode: 'deliver'
      readonly deliverer: Deliverer
      /** What stood behind the entries that name one certificate, when last looked at. */
      readonly offers: readonly DirectoryEntry[]
    }

/** A CA that was proven: its certificate is fit, and Key Vault signed a test with its key. */
export interface ProvenCa {
  readonly authority: Authority
  /** Where validators find the CA's revocations and its own certificate. */
  readonly urls: InformationUrls
  readonly key: ObjectVersion
  /** `https://contoso.vault.azure.net/keys/ca/<version>`. */
  readonly keyId: string
}

/** The CA that signs, and what goes with each of its certificates. */
export interface Signer extends ProvenCa {
  readonly policy: Policy
  /** Absent where CertificateSigningRequests are not answered. */
  readonly kubernetesCsr?: KubernetesCsrPolicy | undefined
  readonly vault: Vault
  /** Host of the vault: requests of one vault share a lane of the work queue. */
  readonly vaultHost: string
  /** In a rollover, the roots of both CAs. */
  readonly bundle: RootBundle
}

/** The CA of `spec.ca.next`. */
export type NextCa =
  | { readonly kind: 'proven'; readonly active: boolean; readonly ca: ProvenCa }
  /** Its root is known when only the key is at fault. `spec.ca` signs meanwhile. */
  | {
      readonly kind: 'broken'
      readonly code: ErrorCode
      readonly message: string
      readonly root: Certificate | undefined
    }

/** A vault that let certificates be read, and those that may be handed out of it. */
export interface Deliverer extends VaultPlace<Vault> {
  /** See `issuerKey`. */
  readonly issuer: string
  /** Nothing outside it is ever handed out. Entries without namespaces are for `namespace`. */
  readonly allowed: readonly DeliverableEntry[]
  /** Of an Issuer, the only one it serves; `undefined` for a ClusterIssuer. */
  readonly namespace: string | undefined
}

/**
 * Whether two proofs found the same. The older one is then kept, so that signatures made with it stay
 * good: a proof repeated every few minutes is no change.
 */
export function isSameSigner(a: Signer, b: Signer): boolean {
  return (
    a.vault === b.vault &&
    a.keyId === b.keyId &&
    a.authority.algorithm === b.authority.algorithm &&
    isDeepStrictEqual(a.policy.text, b.policy.text) &&
    isDeepStrictEqual(a.kubernetesCsr?.text, b.kubernetesCsr?.text) &&
    isDeepStrictEqual(a.urls, b.urls) &&
    isDeepStrictEqual(pathOf(a.authority).map(derOf), pathOf(b.authority).map(derOf)) &&
    a.bundle.pem === b.bundle.pem
  )
}

export function isSameNext(a: NextCa | undefined, b: NextCa | undefined): boolean {
  if (a?.kind === 'proven') {
    return b?.kind === 'proven' && a.active === b.active && a.ca.keyId === b.ca.keyId
  }
  return a?.kind === b?.kind && (b?.kind !== 'broken' || a?.message === b.message)
}

export function isSameDeliverer(a: Deliverer, b: Deliverer): boolean {
  return a.vault === b.vault && isDeepStrictEqual(a.allowed, b.allowed)
}

/** Host of the vault behind an issuer that is ready. */
export function vaultHostOf(state: ReadyState): string {
  return state.mode === 'sign' ? state.signer.vaultHost : state.deliverer.vaultHost
}

function derOf(certificate: Certificate): Uint8Array {
  return certificate.der
}
