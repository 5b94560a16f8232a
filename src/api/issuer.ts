import { IssuerError } from '../error.ts'
import {
  booleanAt,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  textAt,
  textsAt,
} from '../json.ts'
import type { KubernetesCsrText } from '../pki/kubernetes_csr_policy.ts'
import type { PolicyText } from '../pki/policy.ts'
import { type DeliverableEntry, readDeliverables } from './delivery.ts'
import type { IssuerKind } from './names.ts'
import { readKubernetesCsrPolicy, readPolicy } from './policy.ts'

/** One of our ClusterIssuers or Issuers, as stored. */
export interface Issuer {
  readonly kind: IssuerKind
  readonly uid: string
  /** Empty for a ClusterIssuer. */
  readonly namespace: string
  readonly name: string
  readonly resourceVersion: string
  readonly generation: number
  /** A refusal where the stored spec is one that our schema would not have let through. */
  readonly spec: IssuerSpec | IssuerError
  readonly status: JsonObject | undefined
}

export interface IssuerSpec {
  readonly suspend: boolean
  readonly vaultUrl: string
  /** Absent only on an Issuer: it has no ambient identity by default. */
  readonly identity: IdentitySpec | undefined
  readonly mode: IssuerMode
  readonly answerUngrouped: boolean
  /** Key Vault calls in flight at once. */
  readonly inFlight: number
}

/** The two ways to answer a request. An issuer has one of them. */
export type IssuerMode =
  /** Key Vault has the CA's key, and signs for a key made in the cluster. */
  | {
      readonly type: 'sign'
      readonly ca: CaSpec
      readonly policy: PolicyText
      /** Absent where CertificateSigningRequests are not answered. */
      readonly kubernetesCsr: KubernetesCsrText | undefined
    }
  /** Key Vault has key and certificate, and both are handed out. */
  | { readonly type: 'deliver'; readonly certificates: readonly DeliverableEntry[] }

export type IdentitySpec =
  | {
      readonly type: 'workload'
      readonly clientId: string | undefined
      readonly tenantId: string | undefined
    }
  | {
      readonly type: 'clientSecret'
      readonly tenantId: string
      readonly clientId: string
      readonly secretRef: KeyRef
    }

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

/** A key of a Secret or ConfigMap in the issuer's resource namespace. */
export interface KeyRef {
  readonly name: string
  readonly key: string
}

/** Identity of an issuer within the cluster: `ClusterIssuer/name` or `Issuer/namespace/name`. */
export function issuerKey(issuer: Pick<Issuer, 'kind' | 'namespace' | 'name'>): string {
  return issuer.kind === 'ClusterIssuer'
    ? `ClusterIssuer/${issuer.name}`
    : `Issuer/${issuer.namespace}/${issuer.name}`
}

/** Reads a stored issuer of the given kind; `undefined` for what is no Kubernetes object at all. */
export function parseIssuer(kind: IssuerKind, object: unknown): Issuer | undefined {
  if (!isObject(object)) return undefined
  const metadata = objectAt(object, 'metadata')
  const status = objectAt(object, 'status')
  const uid = textAt(metadata, 'uid')
  const name = textAt(metadata, 'name')
  const resourceVersion = textAt(metadata, 'resourceVersion')
  if (!uid || !name || !resourceVersion) return undefined
  return {
    kind,
    uid,
    namespace: textAt(metadata, 'namespace') ?? '',
    name,
    resourceVersion,
    generation: numberAt(metadata, 'generation') ?? 0,
    spec: parseSpec(objectAt(object, 'spec'), kind),
    status,
  }
}

function parseSpec(spec: JsonObject | undefined, kind: IssuerKind): IssuerSpec | IssuerError {
  const vaultUrl = textAt(spec, 'vaultUrl')
  const mode = parseMode(spec, kind)
  if (!vaultUrl) return invalid('spec.vaultUrl is missing')
  if (mode instanceof IssuerError) return mode
  return {
    suspend: booleanAt(spec, 'suspend') ?? false,
    vaultUrl,
    identity: parseIdentity(objectAt(spec, 'identity'), kind),
    mode,
    answerUngrouped: kind === 'ClusterIssuer' && (booleanAt(spec, 'answerUngrouped') ?? false),
    inFlight: numberAt(objectAt(spec, 'limits'), 'inFlight') ?? 32,
  }
}

function parseMode(spec: JsonObject | undefined, kind: IssuerKind): IssuerMode | IssuerError {
  const ca = objectAt(spec, 'ca')
  const certificates = readDeliverables(spec)
  if ((ca === undefined) === (certificates.length === 0)) {
    return invalid('exactly one of spec.ca and spec.certificates must be set')
  }
  if (ca === undefined) return { type: 'deliver', certificates }
  const certificate = parseCertificateSource(objectAt(ca, 'certificate'))
  const key = parseVersionRef(objectAt(ca, 'key'))
  if (!certificate) return invalid('spec.ca.certificate must name exactly one source')
  if (!key && certificate.type !== 'keyVaultCertificate') {
    return invalid('spec.ca.key with name and version is missing')
  }
  return {
    type: 'sign',
    ca: {
      key,
      certificate,
      chain: parsePemSource(objectAt(ca, 'chain')),
      signatureAlgorithm: textAt(ca, 'signatureAlgorithm'),
      crlDistributionPoints: textsAt(ca, 'crlDistributionPoints'),
      ocspServers: textsAt(ca, 'ocspServers'),
      issuingCertificateUrls: textsAt(ca, 'issuingCertificateUrls'),
    },
    policy: readPolicy(objectAt(spec, 'policy')),
    kubernetesCsr:
      kind === 'ClusterIssuer'
        ? readKubernetesCsrPolicy(objectAt(spec, 'kubernetesCSR'))
        : undefined,
  }
}

function parseIdentity(from: JsonObject | undefined, kind: IssuerKind): IdentitySpec | undefined {
  const secret = objectAt(from, 'clientSecret')
  const workload = objectAt(from, 'workload')
  const secretRef = parseKeyRef(objectAt(secret, 'secretRef'))
  const tenantId = textAt(secret, 'tenantId')
  const clientId = textAt(secret, 'clientId')
  if (secretRef && tenantId && clientId) {
    return { type: 'clientSecret', tenantId, clientId, secretRef }
  }
  if (workload || (from === undefined && kind === 'ClusterIssuer')) {
    return {
      type: 'workload',
      clientId: textAt(workload, 'clientId'),
      tenantId: textAt(workload, 'tenantId'),
    }
  }
  return undefined
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

function parseKeyRef(from: JsonObject | undefined): KeyRef | undefined {
  const name = textAt(from, 'name')
  const key = textAt(from, 'key')
  return name && key ? { name, key } : undefined
}

function invalid(message: string): IssuerError {
  return new IssuerError('SpecInvalid', `${message}; compare the issuer with its CRD's schema`)
}
