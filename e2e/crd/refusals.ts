import type { Json } from '../harness/json.ts'

/** What is put at a path of a good spec, and the words of the rule that refuses it. */
export interface Refused {
  readonly path: string
  readonly values: readonly Json[]
  readonly message: string
}

const name = 'ca'
const version = '0123456789abcdef0123456789abcdef'
const ref = { name, version }
const keyRef = { name: 'refs', key: 'value' }

const vaultUrl = 'https://contoso.vault.azure.net'
const identity = { workload: {} }

const ca = { certificate: { keyVaultCertificate: ref } }

/** Each place where a CA can have certificates from its vault. */
const fromVault = [{ keyVaultCertificate: ref }, { keyVaultSecret: ref }].flatMap((certificate) => {
  const chain = { keyVaultSecret: ref }
  const next = { key: ref, certificate: { pem: 'PEM' } }
  return [
    { certificate },
    { chain },
    { next: { ...next, certificate } },
    { next: { ...next, chain } },
  ]
})

/** The present CA and the next have the same fields. */
const cas = ['spec.ca', 'spec.ca.next']

const vaultObjects = cas
  .flatMap((field) => [
    `${field}.key`,
    `${field}.certificate.keyVaultCertificate`,
    `${field}.certificate.keyVaultSecret`,
    `${field}.chain.keyVaultSecret`,
  ])
  .flatMap((path) => [
    {
      path: `${path}.name`,
      values: ['', 'my_ca', 'ca/1'],
      message: 'must be the name of a Key Vault object (letters, digits, hyphens)',
    },
    {
      path: `${path}.version`,
      values: ['', 'latest', version.slice(1), version.toUpperCase()],
      message: 'must be a Key Vault version, 32 hexadecimal digits',
    },
  ])

const urls = cas
  .flatMap((field) =>
    ['crlDistributionPoints', 'ocspServers', 'issuingCertificateUrls'].map(
      (list) => `${field}.${list}`,
    ),
  )
  .map((list) => ({
    path: `${list}[0]`,
    values: ['https://pki.example.com/ca', 'ldap://pki.example.com', ''],
    message: 'must be an http URL (what it serves is signed; https could go round in circles)',
  }))

const sources = cas.flatMap((field) => [
  {
    path: field,
    values: [{ certificate: { pem: 'PEM' } }, { certificate: { keyVaultSecret: ref } }],
    message:
      'key with name and version is needed unless certificate.keyVaultCertificate is set, whose ' +
      'key is then used',
  },
  {
    path: `${field}.certificate`,
    values: [{}, { pem: 'PEM', configMapRef: keyRef }],
    message: 'set exactly one of keyVaultCertificate, keyVaultSecret, configMapRef and pem',
  },
  {
    path: `${field}.chain`,
    values: [{}, { pem: 'PEM', keyVaultSecret: ref }],
    message: 'set exactly one of keyVaultSecret, configMapRef and pem',
  },
])

const durations = ['default', 'min', 'max', 'backdate'].map((field) => ({
  path: `spec.policy.duration.${field}`,
  values: ['90d', '-1h', 'soon', ''],
  message: 'must be a duration, as 2160h or 5m30s',
}))

/** Each rule in CEL of both kinds, broken. */
export const refused: readonly Refused[] = [
  {
    path: 'spec.vaultUrl',
    values: [
      '',
      'contoso.vault.azure.net',
      'http://contoso.vault.azure.net',
      'https://contoso.vault.azure.net:8443',
      'https://contoso.vault.azure.net/keys',
      'https://contoso.vault.azure.net@evil.example',
    ],
    message: 'must be https and host only, as https://contoso.vault.azure.net',
  },
  {
    path: 'spec.identity',
    values: [
      {},
      { workload: {}, managed: {} },
      { workload: {}, clientSecret: { tenantId: 't', clientId: 'c', secretRef: keyRef } },
      {
        clientSecret: { tenantId: 't', clientId: 'c', secretRef: keyRef },
        clientCertificate: { tenantId: 't', clientId: 'c', secretRef: { name: 'entra' } },
      },
    ],
    message: 'set exactly one of workload, managed, clientSecret and clientCertificate',
  },
  ...sources,
  ...vaultObjects,
  ...urls,
  {
    path: 'spec.policy.dnsNames[0]',
    values: ['', '.example.com', 'a.*.example.com', '***.example.com'],
    message: 'must be a DNS name, *.name, **.name or *',
  },
  {
    path: 'spec.policy.ipRanges[0]',
    values: ['', '10.0.0.0/33', '10.0.0', 'any'],
    message: 'must be an address, a range as 10.0.0.0/8, or *',
  },
  {
    path: 'spec.policy.uris[0]',
    values: ['', 'spiffe://*/ns/a', 'spiffe://cluster.local*'],
    message: 'must be a URI, the beginning of one with /* at the end, or *',
  },
  {
    path: 'spec.policy.emailDomains[0]',
    values: ['', 'me@example.com', '.example.com'],
    message: 'must be a domain, *.domain, **.domain or *',
  },
  {
    path: 'spec.policy.otherNames[0]',
    values: ['', 'upn', '3.1', '1.'],
    message: 'must be an OID, as 1.3.6.1.4.1.311.20.2.3, or *',
  },
  ...durations,
  {
    path: 'spec.policy.duration',
    values: [
      { min: '2h', default: '1h', max: '3h' },
      { min: '1h', default: '3h', max: '2h' },
    ],
    message: 'must have min <= default <= max',
  },
  {
    path: 'spec.policy.duration',
    values: [{ backdate: '61m' }],
    message: 'backdate must be at most 1h',
  },
  {
    path: 'spec.policy.isCA.nameConstraints',
    values: [{}],
    message: 'set permitted or excluded, or leave nameConstraints out',
  },
  {
    path: 'spec.policy.isCA.commonNames[0]',
    values: ['', '*.example.com', 'a*b'],
    message: 'must be a name, or the beginning of one with * at the end',
  },
]

/** The rules that part signing from delivering; an entry of a ClusterIssuer has namespaces. */
export function refusedModes(entry: Json): readonly Refused[] {
  const certificates = [entry]
  return [
    {
      path: 'spec',
      values: [
        { vaultUrl, identity },
        { vaultUrl, identity, ca, certificates },
      ],
      message:
        "set exactly one of ca (Key Vault signs) and certificates (Key Vault's own are delivered)",
    },
    {
      path: 'spec',
      values: [{ vaultUrl, identity, certificates, policy: {} }],
      message: 'policy is for an issuer with ca; what is delivered is said by certificates',
    },
    {
      path: 'spec',
      values: [{ vaultUrl: 'https://contoso.managedhsm.azure.net', identity, certificates }],
      message: 'certificates need a vault; a Managed HSM has keys only',
    },
    {
      path: 'spec',
      values: fromVault.map((from) => ({
        vaultUrl: 'https://Contoso.ManagedHSM.azure.net',
        identity,
        ca: { key: ref, certificate: { pem: 'PEM' }, ...from },
      })),
      message: 'a Managed HSM has keys only; give certificates and chains by pem or configMapRef',
    },
    {
      path: 'spec.certificates[0].name',
      values: ['my_app', 'a*b', '*a', 'a/b'],
      message:
        'must be the name of a Key Vault certificate (letters, digits, hyphens), or the beginning of ' +
        'one with * at the end',
    },
  ]
}

/** Those that a ClusterIssuer has besides. */
export const refusedOfClusterIssuer: readonly Refused[] = [
  ...[
    'spec.policy.namespaces',
    'spec.policy.isCA.namespaces',
    'spec.certificates[0].namespaces',
  ].map((path) => ({
    path,
    values: [{}, { all: false }, { names: [] }, { matchLabels: {} }, { all: true, names: ['a'] }],
    message:
      'set all: true, or names or matchLabels with at least one entry; an empty selector selects ' +
      'nothing',
  })),
  {
    path: 'spec.policy.isCA',
    values: [{ allowed: true }],
    message:
      'namespaces is needed when allowed is true: name the namespaces that may ask for a CA, or set ' +
      'all: true',
  },
  {
    path: 'spec.kubernetesCSR.uris[0]',
    values: ['', 'spiffe://*/ns/a', 'spiffe://cluster.local*'],
    message: 'must be a URI, the beginning of one with /* at the end, or *',
  },
  {
    path: 'spec.kubernetesCSR.maxDuration',
    values: ['90d', '-1h', 'soon', ''],
    message: 'must be a duration, as 2160h or 5m30s',
  },
  {
    path: 'spec',
    values: [
      {
        vaultUrl,
        certificates: [{ name: 'myapp', namespaces: { all: true } }],
        kubernetesCSR: { enabled: true },
      },
    ],
    message:
      'kubernetesCSR is for an issuer with ca; a CertificateSigningRequest brings its own key',
  },
  {
    path: 'spec',
    values: [
      { vaultUrl, ca, policy: { namespaces: { all: true } }, kubernetesCSR: { enabled: true } },
    ],
    message:
      'kubernetesCSR cannot be enabled beside policy.namespaces: a CertificateSigningRequest has no ' +
      'namespace',
  },
  {
    path: 'spec',
    values: [
      { vaultUrl, ca, policy: {}, kubernetesCSR: { maxDuration: '1m' } },
      { vaultUrl, ca, policy: { duration: { min: '2h' } }, kubernetesCSR: { maxDuration: '1h' } },
    ],
    message: 'kubernetesCSR.maxDuration must not be below policy.duration.min',
  },
]
