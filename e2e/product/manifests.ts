import type { VaultCa } from './ca.ts'

/** A ClusterIssuer that signs with a CA of the dev vault; `spec` is laid over it. */
export function clusterIssuer(
  name: string,
  vaultUrl: string,
  ca: VaultCa,
  spec: Readonly<Record<string, unknown>> = {},
) {
  return {
    apiVersion: 'keyvault.akv-issuer.io/v1alpha1',
    kind: 'ClusterIssuer',
    metadata: { name },
    spec: { vaultUrl, ca: { key: ca.key, certificate: { pem: ca.pem } }, ...spec },
  }
}

export interface CertificateOptions {
  /** `undefined`: a reference without a group. */
  readonly group?: string | undefined
  readonly issuer?: string
  readonly kind?: 'ClusterIssuer' | 'Issuer'
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
}

export const ourGroup = 'keyvault.akv-issuer.io'

/** A Certificate for `NAME.example.com` into Secret `NAME-tls`. */
export function certificate(name: string, options: CertificateOptions = {}) {
  const group = 'group' in options ? options.group : ourGroup
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name, ...(options.annotations && { annotations: options.annotations }) },
    spec: {
      secretName: `${name}-tls`,
      dnsNames: [`${name}.example.com`],
      privateKey: { algorithm: 'ECDSA', size: 256 },
      issuerRef: {
        name: options.issuer ?? 'akv-issuer',
        kind: options.kind ?? 'ClusterIssuer',
        ...(group !== undefined && { group }),
      },
      ...options.spec,
    },
  }
}
