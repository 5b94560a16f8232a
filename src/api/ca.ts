import { booleanAt, type JsonObject, objectAt, textAt, textsAt } from '../json.ts'
import { type KeyRef, parseKeyRef } from './key_ref.ts'

export interface CaSpec {
  /** Absent when the certificate is a Key Vault certificate: its own key is meant. */
  readonly key: VersionRef | undefined
  readonly certificate: CaCertificateSource
  readonly chain: PemSource | undefined
  readonly signatureAlgorithm: string | undefined
  readonly crlDistributionPoints: readonly string[]
  readonly ocspServers: readonly string[]
  readonly issuingCertificateUrls: readonly string[]
}

/** The CA that is to follow. */
export interface NextCaSpec extends CaSpec {
  /** It signs in place of the present one. */
  readonly activate: boolean
}

export type CaCertificateSource =
  | { readonly type: 'keyVaultCertificate'; readonly ref: VersionRef }
  | PemSource

/** Where PEM certificates stand. */
export type PemSource =
  | { readonly type: 'keyVaultSecret'; readonly ref: VersionRef }
  | { readonly type: 'configMapRef'; readonly ref: KeyRef }
  | { readonly type: 'pem'; readonly pem: string }

/** A Key Vault object at a version. A CA never follows "latest" by itself. */
export interface VersionRef {
  readonly name: string
  readonly version: string
}

/** Reads `spec.ca`; says what is wrong where it is one that our schema would not have let through. */
export function parseCa(
  from: JsonObject,
): { readonly ca: CaSpec; readonly next: NextCaSpec | undefined } | string {
  const ca = parseOne(from, 'spec.ca')
  if (typeof ca === 'string') return ca
  const following = objectAt(from, 'next')
  if (following === undefined) return { ca, next: undefined }
  const next = parseOne(following, 'spec.ca.next')
  if (typeof next === 'string') return next
  return { ca, next: { ...next, activate: booleanAt(following, 'activate') ?? false } }
}

function parseOne(from: JsonObject, field: string): CaSpec | string {
  const certificate = parseCertificateSource(objectAt(from, 'certificate'))
  const key = parseVersionRef(objectAt(from, 'key'))
  if (!certificate) return `${field}.certificate must name exactly one source`
  if (!key && certificate.type !== 'keyVaultCertificate') {
    return `${field}.key with name and version is missing`
  }
  return {
    key,
    certificate,
    chain: parsePemSource(objectAt(from, 'chain')),
    signatureAlgorithm: textAt(from, 'signatureAlgorithm'),
    crlDistributionPoints: textsAt(from, 'crlDistributionPoints'),
    ocspServers: textsAt(from, 'ocspServers'),
    issuingCertificateUrls: textsAt(from, 'issuingCertificateUrls'),
  }
}

function parseCertificateSource(from: JsonObject | undefined): CaCertificateSource | undefined {
  const ref = parseVersionRef(objectAt(from, 'keyVaultCertificate'))
  return ref ? { type: 'keyVaultCertificate', ref } : parsePemSource(from)
}

function parsePemSource(from: JsonObject | undefined): PemSource | undefined {
  const secret = parseVersionRef(objectAt(from, 'keyVaultSecret'))
  const configMap = parseKeyRef(objectAt(from, 'configMapRef'))
  const pem = textAt(from, 'pem')
  if (secret) return { type: 'keyVaultSecret', ref: secret }
  if (configMap) return { type: 'configMapRef', ref: configMap }
  if (pem) return { type: 'pem', pem }
  return undefined
}

function parseVersionRef(from: JsonObject | undefined): VersionRef | undefined {
  const name = textAt(from, 'name')
  const version = textAt(from, 'version')
  return name && version ? { name, version } : undefined
}
