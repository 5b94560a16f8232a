import { createHash } from 'node:crypto'
import {
  booleanAt,
  isObject,
  type JsonObject,
  objectAt,
  objectsAt,
  textAt,
  textsAt,
} from '../json.ts'
import { metaOf } from '../kube/object_meta.ts'
import { type Condition, findCondition, parseConditions, trueCondition } from './conditions.ts'
import { parseGoDuration } from './duration.ts'
import { certManagerGroup, chosenCertificateAnnotation } from './names.ts'

/** The part of a cert-manager CertificateRequest that we decide by. */
export interface CertificateRequest {
  /** The identity. Names are used again by cert-manager; UIDs are not. */
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly resourceVersion: string
  /** RFC 3339, seconds. */
  readonly creationTime: string | undefined
  readonly issuerRef: IssuerRef
  /** The CSR, as PEM text. */
  readonly csrPem: string
  readonly isCA: boolean
  readonly usages: readonly string[]
  /** Asked lifetime in milliseconds; absent when the request leaves it to the issuer. */
  readonly durationMs: number | undefined
  /** The controlling Certificate, when cert-manager made the request for one. */
  readonly certificate: { readonly name: string; readonly uid: string } | undefined
  /** What cert-manager, or anybody who made the request, wrote on it: claims, not facts. */
  readonly claims: RequestClaims
  readonly approved: Condition | undefined
  readonly denied: Condition | undefined
  readonly invalid: Condition | undefined
  readonly ready: Condition | undefined
  readonly hasCertificate: boolean
  /** What `status.ca` has, when it has anything. */
  readonly roots: IssuedRoots | undefined
}

/** The roots that were handed out with a certificate. */
export interface IssuedRoots {
  /** See `rootsDigest`. */
  readonly digest: string
  readonly count: number
}

export interface RequestClaims {
  /** The Secret with the key of the CSR, before it is issued. */
  readonly nextKeySecret: string | undefined
  readonly revision: string | undefined
  /** The Key Vault certificate that is wanted. */
  readonly chosen: string | undefined
}

export interface IssuerRef {
  /** As written; empty when absent. cert-manager takes the empty group for its own. */
  readonly group: string
  /** As written, `Issuer` when absent (cert-manager's default). */
  readonly kind: string
  readonly name: string
}

/**
 * Reads what the API server stores. Returns `undefined` for an object that cert-manager's own schema
 * would have refused.
 */
export function parseCertificateRequest(object: unknown): CertificateRequest | undefined {
  if (!isObject(object)) return undefined
  const meta = metaOf(object)
  const metadata = objectAt(object, 'metadata')
  const spec = objectAt(object, 'spec')
  const status = objectAt(object, 'status')
  const issuerRef = parseIssuerRef(objectAt(spec, 'issuerRef'))
  const annotations = objectAt(metadata, 'annotations')
  const request = textAt(spec, 'request')
  if (!meta?.namespace || !issuerRef || !request) return undefined
  const { uid, namespace, name, resourceVersion } = meta
  const conditions = parseConditions(status)
  return {
    uid,
    namespace,
    name,
    resourceVersion,
    creationTime: textAt(metadata, 'creationTimestamp'),
    issuerRef,
    csrPem: Buffer.from(request, 'base64').toString('latin1'),
    isCA: booleanAt(spec, 'isCA') ?? false,
    usages: textsAt(spec, 'usages'),
    durationMs: parseGoDuration(textAt(spec, 'duration')),
    certificate: controllingCertificate(objectsAt(metadata, 'ownerReferences')),
    claims: {
      nextKeySecret: textAt(annotations, `${certManagerGroup}/private-key-secret-name`),
      revision: textAt(annotations, `${certManagerGroup}/certificate-revision`),
      chosen: textAt(annotations, chosenCertificateAnnotation),
    },
    approved: trueCondition(conditions, 'Approved'),
    denied: trueCondition(conditions, 'Denied'),
    invalid: trueCondition(conditions, 'InvalidRequest'),
    ready: findCondition(conditions, 'Ready'),
    hasCertificate: textAt(status, 'certificate') !== undefined,
    roots: issuedRoots(textAt(status, 'ca')),
  }
}

/** By which two bundles of roots are the same, octet by octet. */
export function rootsDigest(pem: string): string {
  return createHash('sha256').update(pem, 'latin1').digest('base64url')
}

/** Reads an `issuerRef`; `undefined` when it has no name. */
export function parseIssuerRef(ref: JsonObject | undefined): IssuerRef | undefined {
  const name = textAt(ref, 'name')
  if (name === undefined) return undefined
  return { group: textAt(ref, 'group') ?? '', kind: textAt(ref, 'kind') ?? 'Issuer', name }
}

/** Whether cert-manager reads the two as one. */
export function sameIssuerRef(a: IssuerRef, b: IssuerRef): boolean {
  const sameGroup = a.group === b.group || (isUngrouped(a) && isUngrouped(b))
  return sameGroup && a.kind === b.kind && a.name === b.name
}

/** True for an issuerRef that cert-manager reads as one of its own issuers. */
export function isUngrouped(ref: IssuerRef): boolean {
  return ref.group === '' || ref.group === certManagerGroup
}

/** Whether cert-manager has an answer, after which it reads the request no more. */
export function isAnswered(request: CertificateRequest): boolean {
  return request.hasCertificate || finalReasons.has(request.ready?.reason ?? '')
}

const finalReasons: ReadonlySet<string> = new Set(['Issued', 'Failed', 'Denied'])

/** No more than digest and count is kept: the text is the same for all who have one issuer. */
function issuedRoots(encoded: string | undefined): IssuedRoots | undefined {
  if (encoded === undefined) return undefined
  const pem = Buffer.from(encoded, 'base64').toString('latin1')
  return { digest: rootsDigest(pem), count: pem.split('-----BEGIN CERTIFICATE-----').length - 1 }
}

function controllingCertificate(
  owners: ReturnType<typeof objectsAt>,
): CertificateRequest['certificate'] {
  for (const owner of owners) {
    const name = textAt(owner, 'name')
    const uid = textAt(owner, 'uid')
    const apiVersion = textAt(owner, 'apiVersion') ?? ''
    const isCertificate =
      textAt(owner, 'kind') === 'Certificate' && apiVersion.startsWith(`${certManagerGroup}/`)
    if (isCertificate && booleanAt(owner, 'controller') === true && name && uid) {
      return { name, uid }
    }
  }
  return undefined
}
