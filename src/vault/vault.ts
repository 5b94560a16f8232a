import type { SignatureAlgorithmName } from '../pki/signature_algorithms.ts'

/** What the issuer needs of Key Vault. Every method throws `IssuerError` and nothing else. */
export interface Vault extends CertificateReader {
  /** One signature over a digest, in Key Vault's form (RFC 7518: r‖s for ECDSA). One request. */
  sign(request: SignRequest, signal: AbortSignal): Promise<Uint8Array>
  secret(ref: ObjectVersion, signal: AbortSignal): Promise<VaultSecret>
  /** Gets a token, and does nothing with it. */
  authenticate(signal: AbortSignal): Promise<void>
}

/** Certificates without their keys. */
export interface CertificateReader {
  certificate(ref: ObjectVersion, signal: AbortSignal): Promise<VaultCertificate>
  /** What Key Vault takes for the latest version, usable or not. One request. */
  latestCertificate(name: string, signal: AbortSignal): Promise<CertificateVersion>
  /** All versions, in no order. One request for each 25. */
  certificateVersions(name: string, signal: AbortSignal): Promise<readonly CertificateVersionInfo[]>
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

/** Times in milliseconds since the Unix epoch. */
export interface CertificateVersionInfo {
  readonly version: string
  readonly enabled: boolean
  readonly notBefore: number | undefined
  readonly notAfter: number | undefined
  readonly created: number
}

export interface CertificateVersion extends CertificateVersionInfo {
  /** Absent while the first version is being made. */
  readonly der: Uint8Array | undefined
}

export interface VaultSecret {
  readonly value: string
  readonly contentType: string
  /** Stands behind a Key Vault certificate, so it may hold a private key. */
  readonly managed: boolean
}
