import assert from 'node:assert/strict'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodePem } from '../src/pki/pem.ts'
import { makeKey } from '../test/pki/keys.ts'
import { type Ca, makeCa } from '../test/pki/make_ca.ts'
import { makeCsr } from '../test/pki/make_csr.ts'
import { verifySecretChain } from './demo/chain.ts'
import { follow } from './demo/timeline.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { createVaultCa } from './product/ca.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import { sumOf } from './product/metrics.ts'
import { renewByHand } from './product/renewal.ts'
import { certificateRequest, postRequest } from './product/requests.ts'
import { certificatesIn, clusterIssuers, type Scene, startScene } from './product/scene.ts'
import { certificatesOf, idOf, issued, type TlsSecret } from './product/tls_secret.ts'
import { logLines } from './product/told.ts'
import { importCertificate, importKey, setSecret } from './product/vault_objects.ts'

describe('an issuer that signs', () => {
  let scene: Scene
  let namespace: string
  let path: ApiPath
  before(async () => {
    scene = await startScene({ latencyMs: 20, spec: { answerUngrouped: true } })
    namespace = await scene.cluster.namespace('sign')
    path = certificatesIn(namespace)
  })
  after(() => scene?.stop())

  const createIssuer = async (name: string, ca: object) => {
    const issuer = clusterIssuer(name, scene.vault.url, scene.ca, { ca })
    await scene.cluster.must('POST', clusterIssuers, issuer)
    await scene.ready(`${clusterIssuers}/${name}`)
  }
  const createCertificate = (name: string, issuer: string, spec = {}) =>
    scene.cluster.must('POST', path, certificate(name, { issuer, spec }))

  test("the user's Certificate, without a group, is Ready in about 1 s", async (t) => {
    await scene.cluster.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system' } })
    const manifest = join(import.meta.dirname, 'demo', 'myapp-cert.yaml')
    const { ms, steps } = await follow(scene.cluster, manifest, 'myapp-cert', 'myapp-tls')
    t.diagnostic(`created to Ready in ${Math.round(ms)} ms`)
    assert.ok(ms < 5_000, JSON.stringify(steps, null, 2))

    const tls = await issued(scene, 'istio-system', 'myapp-cert')
    assert.equal(tls.leaf.subjectAltName, 'DNS:myapp.example.com')
    await assertChain(tls, { above: [], roots: certificatesOf(scene.ca.pem) })
  })

  const caKeys = [
    { keyType: 'RSA-2048', algorithm: undefined, signature: 'sha256WithRSAEncryption' },
    { keyType: 'RSA-2048', algorithm: 'PS256', signature: 'rsassaPss' },
    { keyType: 'P-256', algorithm: undefined, signature: 'ecdsa-with-SHA256' },
    { keyType: 'P-384', algorithm: undefined, signature: 'ecdsa-with-SHA384' },
  ] as const
  for (const { keyType, algorithm, signature } of caKeys) {
    test(`a CA with ${keyType}${algorithm ? ` by ${algorithm}` : ''} signs for RSA and ECDSA`, async () => {
      const issuer = [keyType, algorithm].join('-').toLowerCase().replace(/-$/, '')
      const ca = await createVaultCa(scene.vault, issuer, { keyType })
      await createIssuer(issuer, {
        key: ca.key,
        certificate: { pem: ca.pem },
        ...(algorithm && { signatureAlgorithm: algorithm }),
      })
      const leaves = [
        { name: `${issuer}-for-rsa`, privateKey: { algorithm: 'RSA', size: 2048 }, type: 'rsa' },
        { name: `${issuer}-for-ec`, privateKey: { algorithm: 'ECDSA', size: 256 }, type: 'ec' },
      ]
      await Promise.all(
        leaves.map(async ({ name, privateKey, type }) => {
          await createCertificate(name, issuer, { privateKey })
          const tls = await issued(scene, namespace, name)
          assert.equal(tls.leaf.signatureAlgorithm, signature)
          assert.equal(tls.leaf.publicKey.asymmetricKeyType, type)
          await assertChain(tls, { above: [], roots: certificatesOf(ca.pem) })
        }),
      )
    })
  }

  describe('an intermediate CA', () => {
    const root = makeCa({ name: 'Contoso Root', ...lifetime() })
    const intermediate = makeCa({ name: 'Contoso Gateways', issuer: root, ...lifetime() })
    const stranger = makeCa({ name: 'Fabrikam Root', ...lifetime() })
    const pem = pemOf(intermediate)
    const bundle = [stranger, root, intermediate].map(pemOf).join('')
    const expected = { above: [x509(intermediate)], roots: [x509(root)] }

    test('is read from each place that an issuer may name', async (t) => {
      const { privateKey } = intermediate.key
      const [key, certificateRef, certificateSecret, chainSecret] = await Promise.all([
        importKey(scene.vault, 'gateways-key', privateKey),
        importCertificate(scene.vault, 'gateways-certificate', pem, privateKey),
        setSecret(scene.vault, 'gateways-pem', pem),
        setSecret(scene.vault, 'gateways-chain', bundle),
        scene.cluster.must('POST', '/api/v1/namespaces/akv-issuer/configmaps', {
          metadata: { name: 'gateways' },
          data: { 'ca.crt': pem, 'bundle.crt': bundle },
        }),
      ])
      const places = {
        'pem-and-pem': { key, certificate: { pem }, chain: { pem: bundle } },
        'certificate-without-key-and-configmap': {
          certificate: { keyVaultCertificate: certificateRef },
          chain: { configMapRef: { name: 'gateways', key: 'bundle.crt' } },
        },
        'secret-and-secret': {
          key,
          certificate: { keyVaultSecret: certificateSecret },
          chain: { keyVaultSecret: chainSecret },
        },
        'configmap-and-pem': {
          key,
          certificate: { configMapRef: { name: 'gateways', key: 'ca.crt' } },
          chain: { pem: bundle },
        },
        'one-bundle': { key, certificate: { pem: pem + bundle } },
      }
      await Promise.all(
        Object.entries(places).map(([name, ca]) =>
          t.test(name, async () => {
            await createIssuer(name, ca)
            await createCertificate(name, name)
            await assertChain(await issued(scene, namespace, name), expected)
          }),
        ),
      )
    })

    const assertRenewed = async (name: string, first: TlsSecret) => {
      await scene.object(
        `${path}/${name}`,
        'at revision 2 or later',
        (object) => Number(at(object, 'status', 'revision')) >= 2,
      )
      const second = await issued(scene, namespace, name)
      assert.notEqual(second.leaf.serialNumber, first.leaf.serialNumber)
      await assertChain(second, expected)
    }

    test('renews what is due, with a new serial and the same chain', async () => {
      // Due 4 s after the issuance, since notBefore lies 30 s in the past.
      await createCertificate('due', 'pem-and-pem', { duration: '1h', renewBefore: '59m26s' })
      await assertRenewed('due', await issued(scene, namespace, 'due'))
      // It would be due again and again.
      await scene.cluster.must('DELETE', `${path}/due`)
    })

    test('renews by hand, as cmctl renew does', async () => {
      await createCertificate('by-hand', 'pem-and-pem')
      const first = await issued(scene, namespace, 'by-hand')
      await renewByHand(scene, `${path}/by-hand`)
      await assertRenewed('by-hand', first)
    })
  })

  test('a suspended issuer holds its requests, and answers them when it is not', async () => {
    const issuer = `${clusterIssuers}/suspended` as const
    await createIssuer('suspended', { key: scene.ca.key, certificate: { pem: scene.ca.pem } })
    await scene.cluster.must('PATCH', issuer, { spec: { suspend: true } })
    await scene.ready(issuer, 'False', 'IssuerSuspended')
    const signatures = await scene.signatures()

    await createCertificate('held', 'suspended')
    const request = await scene.ready(requestOf('held'), 'False', 'Pending')
    assert.equal(
      at(conditionOf(request, 'Ready'), 'message'),
      'ClusterIssuer "suspended" is suspended (spec.suspend)',
    )
    assert.equal(await scene.signatures(), signatures)
    const held = { kind: 'CertificateRequest', reason: 'IssuerSuspended' }
    const { controller } = scene
    const issuedSoFar = () =>
      sumOf(controller, 'akv_issuer_answer_seconds_count', { reason: 'Issued' })
    assert.equal(await sumOf(controller, 'akv_issuer_waiting_requests', held), 1)
    assert.ok((await sumOf(controller, 'akv_issuer_oldest_request_seconds', held)) > 0)
    const pending = { kind: 'CertificateRequest', reason: 'Pending', code: 'IssuerSuspended' }
    assert.equal(await sumOf(controller, 'akv_issuer_answers_total', pending), 1)
    const answersBefore = await issuedSoFar()

    await scene.cluster.must('PATCH', issuer, { spec: { suspend: false } })
    await issued(scene, namespace, 'held')
    assert.equal(await sumOf(controller, 'akv_issuer_waiting_requests', held), 0)
    assert.equal(await sumOf(controller, 'akv_issuer_oldest_request_seconds', held), 0)
    assert.equal(await issuedSoFar(), answersBefore + 1)
  })

  test('an answer never lands on a later request of the same name', async () => {
    const [first, second] = [makeKey('ECDSA P-256'), makeKey('ECDSA P-256')]
    const request = `${requestOf('again').replace(/-1$/, '')}` as ApiPath
    const seen = new Map<string, string>()
    const stop = scene.cluster.watch(
      `/apis/cert-manager.io/v1/namespaces/${namespace}/certificaterequests`,
      ({ object }) => {
        const pem = at(object, 'status', 'certificate')
        if (textAt(object, 'metadata', 'name') !== 'again' || typeof pem !== 'string') return
        seen.set(textAt(object, 'metadata', 'uid'), pem)
      },
    )
    const create = async (key: typeof first): Promise<string> => {
      await postRequest(scene, namespace, certificateRequest('again', makeCsr({ key })))
      return textAt(await scene.cluster.must('GET', request), 'metadata', 'uid')
    }
    await scene.vault.admin('PUT', '/latency', { 'keys/sign': 1_000 })
    try {
      const firstUid = await create(first)
      await until('the first is being signed', () =>
        logLines(scene.controller).some(
          (line) => at(line, 'message') === 'signing' && at(line, 'uid') === firstUid,
        ),
      )
      await scene.cluster.must('DELETE', request)
      const secondUid = await create(second)
      const answered = await scene.ready(request)
      const key = createPublicKey(decoded(textAt(answered, 'status', 'certificate')))
      assert.ok(key.equals(second.publicKey), scene.evidence(answered))
      assert.deepEqual([...seen.keys()], [secondUid])
    } finally {
      stop()
      await scene.vault.admin('PUT', '/latency', { '*': 20 })
    }
  })

  const requestOf = (name: string): ApiPath =>
    `/apis/cert-manager.io/v1/namespaces/${namespace}/certificaterequests/${name}-1`
})

/** The chain is good by OpenSSL, its key is the leaf's, and it is the one that is expected. */
async function assertChain(
  tls: TlsSecret,
  expected: {
    readonly above: readonly X509Certificate[]
    readonly roots: readonly X509Certificate[]
  },
): Promise<void> {
  assert.deepEqual(
    { above: tls.above.map(idOf), roots: tls.roots.map(idOf) },
    { above: expected.above.map(idOf), roots: expected.roots.map(idOf) },
  )
  assert.ok(tls.leaf.checkPrivateKey(tls.privateKey), 'tls.key is the key of tls.crt')
  assert.equal((await verifySecretChain(tls.secret)).verdict, 'tls.crt: OK')
}

function lifetime() {
  const now = Date.now()
  return { notBefore: now - 86_400_000, notAfter: now + 3_650 * 86_400_000 }
}

function pemOf(ca: Ca): string {
  return encodePem('CERTIFICATE', ca.certificate.der)
}

function x509(ca: Ca): X509Certificate {
  return new X509Certificate(ca.certificate.der)
}

function decoded(base64: string): Buffer {
  return Buffer.from(base64, 'base64')
}
