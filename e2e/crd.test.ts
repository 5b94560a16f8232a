import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Cluster } from './harness/cluster.ts'
import { at, type Json, parseJson } from './harness/json.ts'
import { startCluster } from './harness/start_cluster.ts'
import { installProduct } from './product/controller.ts'

const version = '0123456789abcdef0123456789abcdef'
const pem = '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n'
const good = {
  vaultUrl: 'https://contoso.vault.azure.net',
  ca: { key: { name: 'ca', version }, certificate: { pem } },
}
const secretRef = { name: 'entra', key: 'secret' }

let cluster: Cluster

before(async () => {
  cluster = await startCluster()
  await installProduct(cluster)
})
after(() => cluster?.stop())

/** What a user sees who creates the object; nothing is stored. */
async function create(kind: 'ClusterIssuer' | 'Issuer', spec: unknown) {
  const object = {
    apiVersion: 'keyvault.akv-issuer.io/v1alpha1',
    kind,
    metadata: { name: 'x', ...(kind === 'Issuer' && { namespace: 'default' }) },
    spec,
  }
  const input = JSON.stringify(object)
  return await cluster.kubectl(['create', '--dry-run=server', '-o', 'json', '-f', '-'], { input })
}

async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args)
  assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`)
  assert.equal(stderr, '', 'no warning')
  return stdout
}

const refusals: ReadonlyArray<readonly [name: string, spec: unknown, message: string]> = [
  [
    'a vault URL with a path',
    { ...good, vaultUrl: 'https://contoso.vault.azure.net/keys/ca' },
    'spec.vaultUrl: Invalid value: "https://contoso.vault.azure.net/keys/ca": must be https and host only, as https://contoso.vault.azure.net',
  ],
  [
    'a vault URL without https',
    { ...good, vaultUrl: 'http://contoso.vault.azure.net' },
    'must be https and host only',
  ],
  [
    'two identities',
    {
      ...good,
      identity: { workload: {}, clientSecret: { tenantId: 't', clientId: 'c', secretRef } },
    },
    'spec.identity: Invalid value: set exactly one of workload and clientSecret',
  ],
  [
    'no identity in identity',
    { ...good, identity: {} },
    'set exactly one of workload and clientSecret',
  ],
  [
    'a client secret without its Secret',
    { ...good, identity: { clientSecret: { tenantId: 't', clientId: 'c' } } },
    'spec.identity.clientSecret.secretRef: Required value',
  ],
  ['no CA', { vaultUrl: good.vaultUrl }, 'spec.ca: Required value'],
  [
    'no key beside a PEM certificate',
    { ...good, ca: { certificate: { pem } } },
    'spec.ca: Invalid value: key with name and version is needed unless certificate.keyVaultCertificate is set, whose key is then used',
  ],
  [
    'a key without a version',
    { ...good, ca: { ...good.ca, key: { name: 'ca' } } },
    'spec.ca.key.version: Required value',
  ],
  [
    'a version that is none',
    { ...good, ca: { ...good.ca, key: { name: 'ca', version: 'latest' } } },
    'spec.ca.key.version: Invalid value: "latest": must be a Key Vault version, 32 hexadecimal digits',
  ],
  [
    'a key name that no vault has',
    { ...good, ca: { ...good.ca, key: { name: 'a/b', version } } },
    'spec.ca.key.name: Invalid value: "a/b": must be the name of a Key Vault object (letters, digits, hyphens)',
  ],
  [
    'two sources of the certificate',
    {
      ...good,
      ca: { ...good.ca, certificate: { pem, configMapRef: { name: 'ca', key: 'ca.pem' } } },
    },
    'spec.ca.certificate: Invalid value: set exactly one of keyVaultCertificate, keyVaultSecret, configMapRef and pem',
  ],
  [
    'a chain without a source',
    { ...good, ca: { ...good.ca, chain: {} } },
    'spec.ca.chain: Invalid value: set exactly one of keyVaultSecret, configMapRef and pem',
  ],
  [
    'an algorithm that Key Vault has not',
    { ...good, ca: { ...good.ca, signatureAlgorithm: 'ES1' } },
    'spec.ca.signatureAlgorithm: Unsupported value: "ES1"',
  ],
  [
    'an https revocation list',
    { ...good, ca: { ...good.ca, crlDistributionPoints: ['https://crl.example.com'] } },
    'must be an http URL (what it serves is signed; https could go round in circles)',
  ],
  [
    'more calls in flight than a vault bears',
    { ...good, limits: { inFlight: 1000 } },
    'spec.limits.inFlight: Invalid value: 1000',
  ],
  [
    'an empty selector of namespaces',
    { ...good, policy: { namespaces: {} } },
    'spec.policy.namespaces: Invalid value: set all: true, or names or matchLabels with at least one entry; an empty selector selects nothing',
  ],
  [
    'all namespaces and some',
    { ...good, policy: { namespaces: { all: true, names: ['a'] } } },
    'spec.policy.namespaces: Invalid value: set all: true, or names',
  ],
  [
    'a DNS pattern with a star inside',
    { ...good, policy: { dnsNames: ['a*b'] } },
    'spec.policy.dnsNames[0]: Invalid value: "a*b": must be a DNS name, *.name, **.name or *',
  ],
  [
    'an address range that is none',
    { ...good, policy: { ipRanges: ['10.0.0.0/33'] } },
    'spec.policy.ipRanges[0]: Invalid value: "10.0.0.0/33": must be an address, a range as 10.0.0.0/8, or *',
  ],
  [
    'a URI pattern that ends within a name',
    { ...good, policy: { uris: ['spiffe://a*'] } },
    'spec.policy.uris[0]: Invalid value: "spiffe://a*": must be a URI, the beginning of one with /* at the end, or *',
  ],
  [
    'an otherName type that is no OID',
    { ...good, policy: { otherNames: ['upn'] } },
    'must be an OID, as 1.3.6.1.4.1.311.20.2.3, or *',
  ],
  [
    'a usage that cert-manager has not',
    { ...good, policy: { usages: ['server'] } },
    'spec.policy.usages[0]: Unsupported value: "server"',
  ],
  [
    'a minimum above the maximum',
    { ...good, policy: { duration: { min: '2h', default: '1h' } } },
    'spec.policy.duration: Invalid value: must have min <= default <= max',
  ],
  [
    'a duration that is none',
    { ...good, policy: { duration: { max: '1y' } } },
    'spec.policy.duration.max: Invalid value: "1y": must be a duration, as 2160h or 5m30s',
  ],
  [
    'CAs for nobody in particular',
    { ...good, policy: { isCA: { allowed: true } } },
    'spec.policy.isCA: Invalid value: namespaces is needed when allowed is true: name the namespaces that may ask for a CA, or set all: true',
  ],
  [
    'name constraints that constrain nothing',
    { ...good, policy: { isCA: { nameConstraints: {} } } },
    'spec.policy.isCA.nameConstraints: Invalid value: set permitted or excluded, or leave nameConstraints out',
  ],
  ['a field that does not exist', { ...good, vault: 'x' }, 'unknown field "spec.vault"'],
]

describe('the API server refuses', () => {
  for (const [name, spec, message] of refusals) {
    test(name, async () => {
      const { code, stderr } = await create('ClusterIssuer', spec)
      assert.equal(code, 1, JSON.stringify(spec))
      assert(stderr.includes(message), `${message}\nis not in\n${stderr}`)
    })
  }

  test('an Issuer without an identity: there is no ambient one', async () => {
    const { stderr } = await create('Issuer', good)
    assert.match(stderr, /spec\.identity: Required value/)
  })

  test('on an Issuer what only a ClusterIssuer has', async () => {
    const identity = { workload: {} }
    for (const more of [{ answerUngrouped: true }, { policy: { namespaces: { all: true } } }]) {
      const { code, stderr } = await create('Issuer', { ...good, identity, ...more })
      assert.equal(code, 1)
      assert.match(stderr, /unknown field/)
    }
  })
})

test('defaults are those that the docs say', async () => {
  const { code, stdout, stderr } = await create('ClusterIssuer', good)
  assert.equal(code, 0, stderr)
  assert.deepEqual(at(parseJson(stdout), 'spec'), {
    ...good,
    suspend: false,
    answerUngrouped: false,
    identity: { workload: {} },
    limits: { inFlight: 32 },
    policy: { duration: { default: '2160h', min: '5m', max: '8760h', backdate: '30s' } },
  })
})

test('a key may be left out beside a Key Vault certificate', async () => {
  const keyVaultCertificate = { name: 'ca', version }
  const { code, stderr } = await create('ClusterIssuer', {
    ...good,
    ca: { certificate: { keyVaultCertificate } },
  })
  assert.equal(code, 0, stderr)
})

test('kubectl lists, explains and finds our kinds by short name and category', async () => {
  await cluster.must('POST', '/apis/keyvault.akv-issuer.io/v1alpha1/clusterissuers', {
    apiVersion: 'keyvault.akv-issuer.io/v1alpha1',
    kind: 'ClusterIssuer',
    metadata: { name: 'ours' },
    spec: good,
  })
  await cluster.must('POST', '/apis/keyvault.akv-issuer.io/v1alpha1/namespaces/default/issuers', {
    apiVersion: 'keyvault.akv-issuer.io/v1alpha1',
    kind: 'Issuer',
    metadata: { name: 'ours' },
    spec: { ...good, identity: { workload: {} } },
  })
  const [header = '', row = ''] = (await kubectl('get', 'akvci')).split('\n')
  const columns = ['NAME', 'READY', 'REASON', 'VAULT', 'MODE', 'CA EXPIRES', 'AGE']
  assert.deepEqual(header.trim().split(/ {2,}/), columns)
  assert.match(row, /^ours +https:\/\/contoso\.vault\.azure\.net/)
  assert.match(await kubectl('get', 'akvi', '-A'), /^default +ours /m)
  const category = await kubectl('get', 'cert-manager', '-A')
  assert.match(category, /clusterissuer\.keyvault\.akv-issuer\.io\/ours/)
  assert.match(category, /issuer\.keyvault\.akv-issuer\.io\/ours/)
  const explained = await kubectl('explain', 'akvci.spec.ca.key')
  assert.match(explained, /a CA never follows\s+"latest" by itself/)
})

test("cert-manager's words go on meaning cert-manager's kinds", async () => {
  const root = '/apis/cert-manager.io/v1'
  const selfSigned = (kind: string) => ({
    apiVersion: 'cert-manager.io/v1',
    kind,
    metadata: { name: 'theirs' },
    spec: { selfSigned: {} },
  })
  await cluster.must('POST', `${root}/clusterissuers`, selfSigned('ClusterIssuer'))
  await cluster.must('POST', `${root}/namespaces/default/issuers`, selfSigned('Issuer'))
  const words = ['clusterissuers', 'clusterissuer', 'issuers', 'issuer', 'ciss', 'iss']
  for (const word of words) {
    const list: Json = parseJson(await kubectl('get', word, '-A', '-o', 'json'))
    const items = at(list, 'items')
    assert(Array.isArray(items))
    assert.deepEqual(
      items.map((item) => [at(item, 'apiVersion'), at(item, 'metadata', 'name')]),
      [['cert-manager.io/v1', 'theirs']],
      `kubectl get ${word}`,
    )
  }
  assert.match(await kubectl('explain', 'clusterissuers'), /GROUP: +cert-manager\.io/)
})
