import { isObject, numberAt, objectAt, textAt, textsAt } from '../json.ts'
import { metaOf } from '../kube/object_meta.ts'
import { type Condition, parseConditions, trueCondition } from './conditions.ts'
import { group, pluralByKind } from './names.ts'

export const kubernetesCsrKind = 'CertificateSigningRequest'
export const kubernetesCsrApiVersion = 'certificates.k8s.io/v1'

/** The part of a CertificateSigningRequest of certificates.k8s.io that we decide by. */
export interface KubernetesCsr {
  /** The identity: a name may be used again. */
  readonly uid: string
  readonly name: string
  readonly resourceVersion: string
  /** RFC 3339, seconds. */
  readonly creationTime: string | undefined
  readonly signerName: string
  /** The CSR, as PEM text. */
  readonly csrPem: string
  /** In the words of cert-manager, which are those of Kubernetes. */
  readonly usages: readonly string[]
  /** Asked lifetime in milliseconds; absent when the request leaves it to the signer. */
  readonly durationMs: number | undefined
  readonly approved: Condition | undefined
  readonly denied: Condition | undefined
  readonly failed: Condition | undefined
  readonly hasCertificate: boolean
}

/** Reads what the API server stores; `undefined` for what its validation would have refused. */
export function parseKubernetesCsr(object: unknown): KubernetesCsr | undefined {
  if (!isObject(object)) return undefined
  const meta = metaOf(object)
  const spec = objectAt(object, 'spec')
  const status = objectAt(object, 'status')
  const signerName = textAt(spec, 'signerName')
  const request = textAt(spec, 'request')
  if (!meta || !signerName || !request) return undefined
  const { uid, name, resourceVersion } = meta
  const conditions = parseConditions(status)
  const seconds = numberAt(spec, 'expirationSeconds')
  return {
    uid,
    name,
    resourceVersion,
    creationTime: textAt(objectAt(object, 'metadata'), 'creationTimestamp'),
    signerName,
    csrPem: Buffer.from(request, 'base64').toString('latin1'),
    usages: textsAt(spec, 'usages'),
    durationMs: seconds === undefined ? undefined : seconds * 1000,
    approved: trueCondition(conditions, 'Approved'),
    denied: trueCondition(conditions, 'Denied'),
    failed: trueCondition(conditions, 'Failed'),
    hasCertificate: textAt(status, 'certificate') !== undefined,
  }
}

/** Whether its signer, or anybody in the signer's name, has said the last word. */
export function isClosed({ failed, hasCertificate }: KubernetesCsr): boolean {
  return failed !== undefined || hasCertificate
}

/** The signer that a ClusterIssuer is: `clusterissuers.keyvault.akv-issuer.io/<name>`. */
export function signerNameOf(issuerName: string): string {
  return `${signerDomain}/${issuerName}`
}

export const signerDomain = `${pluralByKind.ClusterIssuer}.${group}`
