import { isDeepStrictEqual } from 'node:util'
import type { ErrorCode } from '../error.ts'
import { type Authority, pathOf } from '../pki/authority.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { InformationUrls } from '../pki/information_urls.ts'
import type { Policy } from '../pki/policy.ts'
import type { ObjectVersion, Vault } from '../vault/vault.ts'

/** What is known of an issuer now. Only a `ready` one has anything to sign with. */
export type IssuerState =
  /** Not looked at yet by this process; will be at once. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'suspended' }
  | { readonly kind: 'not-ready'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'ready'; readonly signer: Signer }

/** A CA that was proven: its certificate is fit, and Key Vault signed a test with its key. */
export interface Signer {
  readonly authority: Authority
  readonly policy: Policy
  /** Where validators find the CA's revocations and its own certificate. */
  readonly urls: InformationUrls
  readonly vault: Vault
  /** Host of the vault: requests of one vault share a lane of the work queue. */
  readonly vaultHost: string
  readonly key: ObjectVersion
  /** `https://contoso.vault.azure.net/keys/ca/<version>`. */
  readonly keyId: string
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
    isDeepStrictEqual(a.urls, b.urls) &&
    isDeepStrictEqual(pathOf(a.authority).map(derOf), pathOf(b.authority).map(derOf))
  )
}

function derOf(certificate: Certificate): Uint8Array {
  return certificate.der
}
