import type { Values } from '../product/chart.ts'

const image = { repository: 'registry.example.com/akv-issuer' }

/** Installations as people have them, by the name of the file under `golden` that holds each. */
export const matrix: ReadonlyMap<string, Values> = new Map<string, Values>([
  ['defaults', { image }],
  [
    'deliver',
    {
      image: { ...image, digest: `sha256:${'0123456789abcdef'.repeat(4)}` },
      workloadIdentity: {
        clientId: '11111111-1111-4111-8111-111111111111',
        tenantId: '22222222-2222-4222-8222-222222222222',
      },
      deliver: { enabled: true, namespaces: ['istio-system', 'apps'] },
      kubernetesCsr: { enabled: true },
      eventGrid: {
        enabled: true,
        tenantId: '22222222-2222-4222-8222-222222222222',
        audience: 'api://akv-issuer-webhook',
        cloud: 'AzureUSGovernment',
      },
      issuerReferences: { namespaces: ['team-a'] },
      tokenRequest: [
        { namespace: 'team-a', serviceAccounts: ['vault'] },
        { namespace: 'apps', serviceAccounts: ['vault', 'other'] },
        { namespace: 'team-a', serviceAccounts: ['vault', 'gateway'] },
      ],
      controller: { certificatePollInterval: '1m', rotationWindow: '10s', logLevel: 'debug' },
    },
  ],
  [
    'closed-network',
    {
      image: { ...image, tag: '0.1.0-patched', pullPolicy: 'Always' },
      imagePullSecrets: [{ name: 'registry' }],
      workloadIdentity: {
        injection: 'projected',
        clientId: '11111111-1111-4111-8111-111111111111',
        tenantId: '22222222-2222-4222-8222-222222222222',
        tokenExpirationSeconds: 7200,
      },
      egress: {
        httpsProxy: 'http://proxy.example.com:3128',
        noProxy: '10.0.0.0/8',
        caBundle: { configMapName: 'proxy-ca', key: 'bundle.pem' },
      },
      eventGrid: { enabled: true, secretName: 'event-grid' },
      networkPolicy: {
        enabled: true,
        eventGridFrom: [
          { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } },
        ],
        metricsFrom: [
          { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
        ],
        egressPorts: [443, 3128],
        metadataService: true,
      },
      metrics: { serviceMonitor: { enabled: true, labels: { release: 'prometheus' } } },
    },
  ],
  [
    'identity-binding',
    {
      image,
      workloadIdentity: {
        clientId: '11111111-1111-4111-8111-111111111111',
        tenantId: '22222222-2222-4222-8222-222222222222',
        identityBinding: true,
      },
    },
  ],
  [
    'by-others',
    {
      image,
      fullnameOverride: 'issuer',
      replicaCount: 1,
      crds: { enabled: false },
      approver: { enabled: false },
      serviceAccount: { create: false, name: 'made-by-terraform' },
      workloadIdentity: { enabled: false },
      metrics: { service: { enabled: false } },
      podDisruptionBudget: { enabled: false },
      rollover: { enabled: true },
      controller: {
        reissueRate: 10,
        clusterResourceNamespace: 'issuer-secrets',
        vaultHostSuffixes: ['.vault.azure.cn'],
        issuerAmbientIdentity: true,
        probeInterval: '10m',
        concurrency: 16,
        extraArgs: ['--no-leader-elect'],
      },
      commonLabels: { team: 'platform' },
      podLabels: { tier: 'pki' },
      podAnnotations: { 'example.com/note': 'front door' },
      priorityClassName: 'system-cluster-critical',
      tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'akv-issuer' } },
        },
      ],
      extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=256' }],
      extraVolumes: [{ name: 'more', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
    },
  ],
])

/** Values that a person gets wrong, and what helm says of them. */
export const refusals: readonly {
  readonly what: string
  readonly values: Values
  readonly says: RegExp
}[] = [
  {
    what: 'no image',
    values: {},
    says: /image\.repository is needed: where your image of akv-issuer is/,
  },
  {
    what: 'a value that does not exist',
    values: { image, replicas: 2 },
    says: /additional properties 'replicas' not allowed/,
  },
  {
    what: 'a flag that does not exist',
    values: { image, controller: { pollInterval: '1m' } },
    says: /at '\/controller': additional properties 'pollInterval' not allowed/,
  },
  {
    what: 'a duration without a unit',
    values: { image, controller: { probeInterval: '300' } },
    says: /at '\/controller\/probeInterval': '300' does not match pattern/,
  },
  {
    what: 'a digest that is a tag',
    values: { image: { ...image, digest: 'v1.0.0' } },
    says: /at '\/image\/digest': 'v1\.0\.0' does not match pattern/,
  },
  {
    what: 'a client id that is a name',
    values: { image, workloadIdentity: { clientId: 'akv-issuer' } },
    says: /at '\/workloadIdentity\/clientId': 'akv-issuer' does not match pattern/,
  },
  {
    what: 'another way of injection',
    values: { image, workloadIdentity: { injection: 'sidecar' } },
    says: /at '\/workloadIdentity\/injection': value must be one of 'webhook', 'projected'/,
  },
  {
    what: 'a host suffix of no Azure cloud',
    values: { image, controller: { vaultHostSuffixes: ['.vault.example.com'] } },
    says: /at '\/controller\/vaultHostSuffixes\/0': value must be one of '\.vault\.azure\.net'/,
  },
  {
    what: 'an identity binding of nobody',
    values: { image, workloadIdentity: { identityBinding: true } },
    says: /workloadIdentity\.identityBinding needs workloadIdentity\.clientId/,
  },
  {
    what: 'an identity binding without the webhook',
    values: { image, workloadIdentity: { identityBinding: true, injection: 'projected' } },
    says: /identityBinding needs workloadIdentity\.injection to be webhook/,
  },
  {
    what: 'a pattern for namespaces to deliver into',
    values: { image, deliver: { enabled: true, namespaces: ['team-*'] } },
    says: /at '\/deliver\/namespaces\/0': 'team-\*' does not match pattern/,
  },
  {
    what: 'notices from nobody in particular',
    values: { image, eventGrid: { enabled: true, tenantId: '' } },
    says: /eventGrid needs either secretName, or tenantId and audience/,
  },
  {
    what: 'notices known by a secret and by a token',
    values: { image, eventGrid: { enabled: true, secretName: 'sent', audience: 'api://webhook' } },
    says: /eventGrid needs either secretName, or tenantId and audience/,
  },
  {
    what: 'tokens of every ServiceAccount of a namespace',
    values: { image, tokenRequest: [{ namespace: 'team-a', serviceAccounts: [] }] },
    says: /at '\/tokenRequest\/0\/serviceAccounts': minItems: got 0, want 1/,
  },
  {
    what: 'a foreign ServiceAccount without a name',
    values: { image, serviceAccount: { create: false } },
    says: /serviceAccount\.name is needed when serviceAccount\.create is false/,
  },
  {
    what: 'a ServiceMonitor without a Service',
    values: { image, metrics: { service: { enabled: false }, serviceMonitor: { enabled: true } } },
    says: /metrics\.serviceMonitor\.enabled needs metrics\.service\.enabled/,
  },
]
