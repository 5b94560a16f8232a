import { IssuerError } from '../error.ts'
import { booleanAt, isObject, type JsonObject, numberAt, objectAt, textAt } from '../json.ts'
import { metaOf } from '../kube/object_meta.ts'
import type { KubernetesCsrText } from '../pki/kubernetes_csr_policy.ts'
import type { PolicyText } from '../pki/policy.ts'
import { type CaSpec, type NextCaSpec, parseCa } from './ca.ts'
import { type DeliverableEntry, readDeliverables } from './delivery.ts'
import { type IdentitySpec, parseIdentity } from './identity.ts'
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
      readonly next: NextCaSpec | undefined
      readonly policy: PolicyText
      /** Absent where CertificateSigningRequests are not answered. */
      readonly kubernetesCsr: KubernetesCsrText | undefined
    }
  /** Key Vault has key and certificate, and both are handed out. */
  | { readonly type: 'deliver'; readonly certificates: readonly DeliverableEntry[] }

/** Identity of an issuer within the cluster: `ClusterIssuer/name` or `Issuer/namespace/name`. */
export function issuerKey(issuer: Pick<Issuer, 'kind' | 'namespace' | 'name'>): string {
  return issuer.kind === 'ClusterIssuer'
    ? `ClusterIssuer/${issuer.name}`
    : `Issuer/${issuer.namespace}/${issuer.name}`
}

/** Reads a stored issuer of the given kind; `undefined` for what is no Kubernetes object at all. */
export function parseIssuer(kind: IssuerKind, object: unknown): Issuer | undefined {
  if (!isObject(object)) return undefined
  const meta = metaOf(object)
  if (meta === undefined) return undefined
  return {
    kind,
    ...meta,
    namespace: meta.namespace ?? '',
    generation: numberAt(objectAt(object, 'metadata'), 'generation') ?? 0,
    spec: parseIssuerSpec(objectAt(object, 'spec'), kind),
    status: objectAt(object, 'status'),
  }
}

/** Reads the spec of an issuer of the given kind, or says what is wrong with it. */
export function parseIssuerSpec(
  spec: JsonObject | undefined,
  kind: IssuerKind,
): IssuerSpec | IssuerError {
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
  const read = parseCa(ca)
  if (typeof read === 'string') return invalid(read)
  return {
    type: 'sign',
    ...read,
    policy: readPolicy(objectAt(spec, 'policy')),
    kubernetesCsr:
      kind === 'ClusterIssuer'
        ? readKubernetesCsrPolicy(objectAt(spec, 'kubernetesCSR'))
        : undefined,
  }
}

function invalid(message: string): IssuerError {
  return new IssuerError('SpecInvalid', `${message}; compare the issuer with its CRD's schema`)
}
