import { type IssuerKind, version } from '../api/names.ts'
import { type JsonObject, objectAt, objectsAt, textAt } from '../json.ts'

/** Fields of `spec` and those right below that this version reads; an older CRD drops some in silence. */
const fields: readonly string[] = [
  'suspend',
  'vaultUrl',
  'identity',
  'identity.workload',
  'identity.managed',
  'identity.clientSecret',
  'identity.clientCertificate',
  'ca',
  'ca.key',
  'ca.certificate',
  'ca.chain',
  'ca.signatureAlgorithm',
  'ca.crlDistributionPoints',
  'ca.ocspServers',
  'ca.issuingCertificateUrls',
  'ca.next',
  'certificates',
  'policy',
  'policy.dnsNames',
  'policy.ipRanges',
  'policy.uris',
  'policy.emailDomains',
  'policy.otherNames',
  'policy.usages',
  'policy.keyTypes',
  'policy.duration',
  'policy.isCA',
  'limits',
  'limits.inFlight',
]

const ofClusterIssuers: readonly string[] = [
  'answerUngrouped',
  'kubernetesCSR',
  'kubernetesCSR.enabled',
  'kubernetesCSR.usages',
  'kubernetesCSR.uris',
  'kubernetesCSR.maxDuration',
  'policy.namespaces',
]

export const specFields: Readonly<Record<IssuerKind, readonly string[]>> = {
  Issuer: fields,
  ClusterIssuer: [...fields, ...ofClusterIssuers],
}

/** The fields that a CustomResourceDefinition does not know, of those that this version reads. */
export function fieldsMissing(crd: JsonObject, kind: IssuerKind): readonly string[] {
  const served = objectsAt(objectAt(crd, 'spec'), 'versions').find(
    (one) => textAt(one, 'name') === version,
  )
  const schema = objectAt(objectAt(served, 'schema'), 'openAPIV3Schema')
  const spec = propertyOf(schema, 'spec')
  return specFields[kind].filter((path) => path.split('.').reduce(propertyOf, spec) === undefined)
}

function propertyOf(schema: JsonObject | undefined, name: string): JsonObject | undefined {
  return objectAt(objectAt(schema, 'properties'), name)
}
