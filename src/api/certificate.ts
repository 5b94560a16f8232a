import { booleanAt, isObject, numberAt, objectAt, textAt, textsAt } from '../json.ts'
import { metaOf } from '../kube/object_meta.ts'
import { type IssuerRef, parseIssuerRef } from './certificate_request.ts'
import { type Condition, findCondition, parseConditions } from './conditions.ts'
import { parseGoDuration } from './duration.ts'
import { chosenCertificateAnnotation } from './names.ts'

/** The part of a cert-manager Certificate that a delivery is decided by. */
export interface Certificate {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly resourceVersion: string
  readonly generation: number
  readonly issuerRef: IssuerRef
  readonly secretName: string
  readonly privateKey: PrivateKeySpec
  readonly isCA: boolean
  readonly names: CertificateNamesSpec
  readonly renewal: RenewalSpec
  /** The Key Vault certificate that its annotation names. */
  readonly chosen: string | undefined
  /** Of the certificate in the Secret; 0 before the first. */
  readonly revision: number
  readonly nextKeySecret: string | undefined
  readonly issuing: Condition | undefined
  readonly ready: Condition | undefined
  /** RFC 3339; of an issuance that failed after the last one that went well. */
  readonly lastFailureTime: string | undefined
}

export interface PrivateKeySpec {
  readonly algorithm: string
  /** Bits of an RSA key or of a curve; 0 where the algorithm has one size only. */
  readonly size: number
}

export interface CertificateNamesSpec {
  readonly commonName: string | undefined
  /** RFC 4514; takes the place of `commonName`. */
  readonly literalSubject: string | undefined
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly uris: readonly string[]
  readonly emailAddresses: readonly string[]
}

export interface RenewalSpec {
  /** `spec.renewal.policy: Disabled` (cert-manager 1.21 and newer). */
  readonly disabled: boolean
  readonly renewBeforeMs: number | undefined
  readonly renewBeforePercentage: number | undefined
}

/** cert-manager's defaults (pkg/util/pki/match.go, PrivateKeyMatchesSpec). */
const defaultSizes: ReadonlyMap<string, number> = new Map([
  ['RSA', 2048],
  ['ECDSA', 256],
])

/** Reads what the API server stores; `undefined` for what cert-manager's schema would refuse. */
export function parseCertificate(object: unknown): Certificate | undefined {
  if (!isObject(object)) return undefined
  const meta = metaOf(object)
  const spec = objectAt(object, 'spec')
  const status = objectAt(object, 'status')
  const privateKey = objectAt(spec, 'privateKey')
  const issuerRef = parseIssuerRef(objectAt(spec, 'issuerRef'))
  const secretName = textAt(spec, 'secretName')
  if (!meta?.namespace || !issuerRef || !secretName) return undefined
  const { uid, namespace, name, resourceVersion } = meta
  const metadata = objectAt(object, 'metadata')
  const algorithm = textAt(privateKey, 'algorithm') ?? 'RSA'
  const conditions = parseConditions(status)
  return {
    uid,
    namespace,
    name,
    resourceVersion,
    generation: numberAt(metadata, 'generation') ?? 0,
    issuerRef,
    secretName,
    privateKey: {
      algorithm,
      size: numberAt(privateKey, 'size') || (defaultSizes.get(algorithm) ?? 0),
    },
    isCA: booleanAt(spec, 'isCA') ?? false,
    names: {
      commonName: textAt(spec, 'commonName'),
      literalSubject: textAt(spec, 'literalSubject'),
      dnsNames: textsAt(spec, 'dnsNames'),
      ipAddresses: textsAt(spec, 'ipAddresses'),
      uris: textsAt(spec, 'uris'),
      emailAddresses: textsAt(spec, 'emailAddresses'),
    },
    renewal: {
      disabled: textAt(objectAt(spec, 'renewal'), 'policy') === 'Disabled',
      renewBeforeMs: parseGoDuration(textAt(spec, 'renewBefore')),
      renewBeforePercentage: numberAt(spec, 'renewBeforePercentage'),
    },
    chosen: textAt(objectAt(metadata, 'annotations'), chosenCertificateAnnotation),
    revision: numberAt(status, 'revision') ?? 0,
    nextKeySecret: textAt(status, 'nextPrivateKeySecretName'),
    issuing: findCondition(conditions, 'Issuing'),
    ready: findCondition(conditions, 'Ready'),
    lastFailureTime: textAt(status, 'lastFailureTime'),
  }
}

/** Whether cert-manager is at work on the next issuance. */
export function isIssuing({ issuing }: Certificate): boolean {
  return issuing?.status === 'True'
}
