import type { SignatureAlgorithmName } from '../pki/signature_algorithms.ts'

/** What the issuer needs of Key Vault. Every method throws `IssuerError` and nothing else. */
export interface Vault {
  /** One signature over a digest, in Key Vault's form (RFC 7518: r‖s for ECDSA). One request. */
  sign(request: SignRequest, signal: AbortSignal): Promise<Uint8Array>
  certificate(ref: ObjectVersion, signal: AbortSignal): Promise<VaultCertificate>
  secret(ref: ObjectVersion, signal: AbortSignal): Promise<VaultSecret>
}

export interface ObjectVersion {
  readonly name: string
  readonly version: string
}

export interface SignRequest {
  readonly key: ObjectVersion
  readonly algorithm: SignatureAlgorithmName
  /** As long as the algorithm's hash. */
  readonly digest: Uint8Array
}

export interface VaultCertificate {
  /** The leaf alone, DER. Key Vault does not give the chain here. */
  readonly der: Uint8Array
  readonly key: ObjectVersion
}

export interface VaultSecret {
  readonly value: string
  readonly contentType: string
  /** Stands behind a Key Vault certificate, so it may hold a private key. */
  readonly managed: boolean
}
