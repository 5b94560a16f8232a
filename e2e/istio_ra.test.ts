import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodePem } from '../src/pki/pem.ts'
import { type Ca, day, makeCa } from '../test/pki/make_ca.ts'
import type { Cluster } from './harness/cluster.ts'
import { type Istiod, istiodHost, istioNamespace, startIstiod } from './harness/istio/istiod.ts'
import { certify, createIdentity, meet, type Workload } from './harness/istio/workload.ts'
import { at, type Json, listAt } from './harness/json.ts'
import { istioLeftOut } from './harness/tools.ts'
import { until } from './harness/until.ts'
import { workloadCsr } from './product/istio_csr.ts'
import { kubernetesCsrs, signerDomain } from './product/kubernetes_csrs.ts'
import { clusterIssuer } from './product/manifests.ts'
import { meshRoots, shownBy } from './product/mesh.ts'
import { clusterIssuers, type Scene, startScene } from './product/scene.ts'
import { certificatesOf, idOf } from './product/tls_secret.ts'
import { logLines } from './product/told.ts'
import { importKey } from './product/vault_objects.ts'

const rbacYaml = join(import.meta.dirname, '..', 'config/rbac/kubernetes_csr')
const signer = `${signerDomain}/mesh`
const life = { notBefore: Date.now() - day, notAfter: Date.now() + 365 * day }
const root = makeCa({ name: 'Contoso Root', ...life })
const intermediate = makeCa({ name: 'Contoso Mesh', issuer: root, ...life })
const roots = pemOf(root)

describe('istiod as registration authority', { skip: istioLeftOut() }, () => {
  let scene: Scene
  let istiod: Istiod
  before(async () => {
    scene = await startScene({ latencyMs: 20 })
    const { cluster, vault } = scene
    const { code, stderr } = await cluster.kubectl(['apply', '-f', rbacYaml])
    assert.equal(code, 0, stderr)
    const key = await importKey(vault, 'mesh', intermediate.key.privateKey)
    const issuer = clusterIssuer('mesh', vault.url, scene.ca, {
      ca: { key, certificate: { pem: pemOf(intermediate) }, chain: { pem: roots } },
      policy: { dnsNames: [`**.${istioNamespace}.svc`] },
      kubernetesCSR: {
        enabled: true,
        usages: ['digital signature', 'key encipherment', 'server auth', 'client auth'],
        uris: ['spiffe://cluster.local/*'],
        maxDuration: '24h',
      },
    })
    await cluster.must('POST', clusterIssuers, issuer)
    await scene.ready(`${clusterIssuers}/mesh`)
    await cluster.must('POST', '/api/v1/namespaces', { metadata: { name: istioNamespace } })
    const mesh = { caCertificates: [{ pem: roots, certSigners: [signer] }] }
    await cluster.must('POST', `/api/v1/namespaces/${istioNamespace}/configmaps`, {
      metadata: { name: 'istio' },
      data: { mesh: JSON.stringify(mesh) },
    })
    istiod = await startIstiod(cluster, {
      cacerts: 'none',
      kubeconfig: await istiodAccount(cluster),
      env: {
        EXTERNAL_CA: 'ISTIOD_RA_KUBERNETES_API',
        CERT_SIGNER_DOMAIN: signerDomain,
        PILOT_CERT_PROVIDER: `k8s.io/${signer}`,
      },
    })
  })
  after(() => scene?.stop())

  /** As a sidecar does when it starts. */
  const createWorkload = async (name: string): Promise<Workload> => {
    const identity = await createIdentity(istiod, 'apps', name)
    const csr = workloadCsr(identity.identity, identity.key)
    return await certify(istiod, { ...identity, csr }, roots, { certSigner: 'mesh' })
  }

  test('its own certificate is from Key Vault: a day, of the ten years that it asks for', async () => {
    const [own, above] = await shownBy(istiod, roots)
    assert.ok(own && above, 'the leaf and the intermediate')
    assert.equal(idOf(above), idOf(new X509Certificate(intermediate.certificate.der)))
    assert.ok(own.verify(above.publicKey))
    assert.ok(own.checkHost(istiodHost))
    assert.equal((Date.parse(own.validTo) - Date.parse(own.validFrom)) / 3_600_000, 24)
    assert.deepEqual(await answeredFor(own), [{ signerName: signer, reason: 'Issued' }])
  })

  test('a workload gets its identity from Key Vault, and the root of the mesh', async () => {
    const workload = await createWorkload('frontend')
    const [leaf, above, ...more] = certificatesOf(workload.chain)
    assert.ok(leaf && above)
    assert.deepEqual(
      [leaf.subject, leaf.subjectAltName, idOf(above), more],
      [undefined, `URI:${workload.identity}`, idOf(certificatesOf(pemOf(intermediate))[0]), []],
    )
    assert.ok(leaf.verify(above.publicKey))
    assert.equal(workload.roots.trim(), roots.trim())
    assert.equal(await meshRoots(istiod, 'apps'), roots)
    assert.deepEqual(await answeredFor(leaf), [{ signerName: signer, reason: 'Issued' }])
  })

  test('workloads meet by mutual TLS', async () => {
    const [one, other] = [await createWorkload('shop'), await createWorkload('stock')]
    assert.deepEqual(await meet(one, other), { server: other.identity, client: one.identity })
    assert.deepEqual(await meet(other, one), { server: one.identity, client: other.identity })
  })

  test('nothing is left behind: istiod deletes its requests once they are answered', async () => {
    await until('no request left', async () => {
      const { items } = Object(await scene.cluster.must('GET', kubernetesCsrs))
      return listAt(items).length === 0
    })
  })

  /** What the controller's log says of the request whose certificate this is. */
  async function answeredFor({ serialNumber }: X509Certificate): Promise<readonly Json[]> {
    // Whoever asked has the certificate before the controller has logged that it wrote it.
    const answers = await until('the answer in the log', () => {
      const lines = logLines(scene.controller)
      const intent = lines.find((line) => at(line, 'serial') === serialNumber.toLowerCase())
      const answered = lines
        .filter((line) => at(line, 'message') === 'request answered')
        .filter((line) => at(line, 'uid') === at(intent, 'uid'))
      return intent !== undefined && answered.length > 0 ? answered : undefined
    })
    return answers.map((line) => ({
      signerName: at(line, 'signerName') ?? null,
      reason: at(line, 'reason') ?? null,
    }))
  }
})

/** An account with what Istio's chart gives istiod of certificates.k8s.io, and all of the rest. */
async function istiodAccount(cluster: Cluster): Promise<string> {
  const { kubeconfig } = await cluster.serviceAccount(istioNamespace, 'istiod')
  const rules = [
    {
      apiGroups: ['certificates.k8s.io'],
      resources: [
        'certificatesigningrequests',
        'certificatesigningrequests/approval',
        'certificatesigningrequests/status',
      ],
      verbs: ['update', 'create', 'get', 'delete', 'watch'],
    },
    {
      apiGroups: ['certificates.k8s.io'],
      resources: ['signers'],
      resourceNames: [signer],
      verbs: ['approve'],
    },
    { apiGroups: otherGroups, resources: ['*'], verbs: ['*'] },
  ]
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  await cluster.must('POST', `${rbac}/clusterroles`, { metadata: { name: 'istiod' }, rules })
  await cluster.must('POST', `${rbac}/clusterrolebindings`, {
    metadata: { name: 'istiod' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'istiod' },
    subjects: [{ kind: 'ServiceAccount', name: 'istiod', namespace: istioNamespace }],
  })
  return kubeconfig
}

/** What else istiod works with. */
const otherGroups = [
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apps',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'extensions.istio.io',
  'gateway.networking.k8s.io',
  'networking.istio.io',
  'networking.k8s.io',
  'security.istio.io',
  'telemetry.istio.io',
]

function pemOf({ certificate }: Ca): string {
  return encodePem('CERTIFICATE', certificate.der)
}
