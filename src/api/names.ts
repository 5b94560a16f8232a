/** Names that other programs and people rely on: changing one is an API change. */

/** Sorts after `cert-manager.io`, so that `kubectl get clusterissuers` keeps meaning cert-manager's. */
export const group = 'keyvault.akv-issuer.io'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}`

export const certManagerGroup = 'cert-manager.io'
export const certManagerApiVersion = `${certManagerGroup}/v1`

export const issuerKinds = ['ClusterIssuer', 'Issuer'] as const
export type IssuerKind = (typeof issuerKinds)[number]

export const pluralByKind: Readonly<Record<IssuerKind, string>> = {
  ClusterIssuer: 'clusterissuers',
  Issuer: 'issuers',
}

/** On a Certificate: the Key Vault certificate to deliver, among those its issuer allows. */
export const chosenCertificateAnnotation = `${group}/certificate`

/** Why we asked cert-manager to issue anew: the reason of the condition Issuing. */
export const rotatedReason = 'KeyVaultRotated'
export const rolloverReason = 'CARollover'

/** Owner of the status fields we apply, and the reporter of our Events. */
export const fieldManager = 'akv-issuer'
export const reportingController = `${group}/akv-issuer`

/** Reasons of the Ready condition of a CertificateRequest: cert-manager's closed set. */
export const requestReasons = ['Pending', 'Issued', 'Failed', 'Denied'] as const
export type RequestReason = (typeof requestReasons)[number]

/** Whether most kinds of objects can have the name: a DNS subdomain (RFC 1123). */
export function isObjectName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(text)
}
