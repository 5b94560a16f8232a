import type { Json } from '../harness/json.ts'
import { mapKey } from './schema_rules.ts'

const ref = { name: 'ca', version: '0123456789abcdef0123456789abcdef' }
const following = { name: 'ca', version: 'fedcba9876543210fedcba9876543210' }
const urls = {
  crlDistributionPoints: ['http://pki.example.com/ca.crl'],
  ocspServers: ['http://ocsp.example.com'],
  issuingCertificateUrls: ['http://pki.example.com/ca.crt'],
}
const keyOf = { name: 'refs', key: 'value' }
const selector = { names: ['istio-system'], matchLabels: { [mapKey]: 'mesh' } }
const names = {
  dnsDomains: ['example.com'],
  ipRanges: ['10.0.0.0/8'],
  emailAddresses: ['example.com'],
  uriDomains: ['.example.com'],
}

/**
 * Specs that are good and together say every field of an Issuer's schema once, so that each rule
 * can be broken in one of them.
 */
export const issuerSpecs: readonly Json[] = [
  {
    suspend: true,
    vaultUrl: 'https://contoso.vault.azure.net',
    identity: {
      workload: { clientId: 'client', tenantId: 'tenant', serviceAccountRef: { name: 'team-a' } },
    },
    ca: {
      key: ref,
      certificate: { pem: 'PEM' },
      chain: { pem: 'PEM' },
      signatureAlgorithm: 'ES256',
      ...urls,
      next: {
        key: ref,
        certificate: { pem: 'NEXT' },
        chain: { pem: 'PEM' },
        signatureAlgorithm: 'ES256',
        ...urls,
        activate: true,
      },
    },
    policy: {
      dnsNames: ['**.example.com'],
      ipRanges: ['10.0.0.0/8'],
      uris: ['spiffe://cluster.local/*'],
      emailDomains: ['example.com'],
      otherNames: ['1.3.6.1.4.1.311.20.2.3'],
      usages: ['server auth'],
      keyTypes: ['P-256'],
      duration: { default: '24h', min: '1h', max: '48h', backdate: '1m' },
      isCA: {
        allowed: false,
        maxPathLen: 1,
        commonNames: ['Istio *'],
        nameConstraints: { permitted: names, excluded: names },
      },
    },
    limits: { inFlight: 8 },
  },
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    identity: { clientSecret: { tenantId: 'tenant', clientId: 'client', secretRef: keyOf } },
    ca: {
      certificate: { keyVaultCertificate: ref },
      chain: { keyVaultSecret: ref },
      next: { certificate: { keyVaultCertificate: following }, chain: { keyVaultSecret: ref } },
    },
  },
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    identity: {
      clientCertificate: { tenantId: 'tenant', clientId: 'client', secretRef: { name: 'entra' } },
    },
    ca: {
      key: ref,
      certificate: { keyVaultSecret: ref },
      chain: { configMapRef: keyOf },
      next: {
        key: following,
        certificate: { keyVaultSecret: following },
        chain: { configMapRef: keyOf },
      },
    },
  },
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    identity: { managed: { clientId: 'client' } },
    ca: {
      key: ref,
      certificate: { configMapRef: keyOf },
      next: { key: ref, certificate: { configMapRef: { ...keyOf, key: 'next' } } },
    },
  },
]

/** Of an Issuer alone: the entries of a ClusterIssuer say which namespaces they are for. */
export const deliverIssuerSpecs: readonly Json[] = [
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    identity: { workload: {} },
    certificates: [{ name: 'myapp' }, { name: 'team-a-*' }],
  },
]

/** The same for a ClusterIssuer. */
export const clusterIssuerSpecs: readonly Json[] = [
  ...issuerSpecs,
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    certificates: [
      { name: 'myapp', namespaces: selector },
      { name: 'team-a-*', namespaces: { all: true } },
    ],
  },
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    certificates: [{ name: 'myapp', namespaces: { all: true } }],
  },
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    ca: { key: ref, certificate: { pem: 'PEM' } },
    policy: { namespaces: selector, isCA: { allowed: true, namespaces: selector } },
    answerUngrouped: true,
  },
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    ca: { key: ref, certificate: { pem: 'PEM' } },
    policy: { namespaces: { all: true }, isCA: { allowed: true, namespaces: { all: true } } },
  },
  {
    vaultUrl: 'https://contoso.vault.azure.net',
    ca: { key: ref, certificate: { pem: 'PEM' } },
    policy: {},
    kubernetesCSR: {
      enabled: true,
      usages: ['server auth', 'client auth'],
      uris: ['spiffe://cluster.local/*'],
      maxDuration: '24h',
    },
  },
]
