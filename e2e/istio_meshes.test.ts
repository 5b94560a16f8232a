import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { get } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { parseCertificate } from '../src/pki/certificate.ts'
import { encodePem } from '../src/pki/pem.ts'
import { makeKey } from '../test/pki/keys.ts'
import { type Ca, day, makeCa } from '../test/pki/make_ca.ts'
import { dnsName, makeName, subjectAltName, uriName } from '../test/pki/make_csr.ts'
import type { ApiPath } from './harness/cluster.ts'
import { startEnvoyGateway } from './harness/istio/envoy.ts'
import { requestOnce } from './harness/istio/gateway_client.ts'
import { istioCrds } from './harness/istio/istio_crds.ts'
import { istioNamespace } from './harness/istio/istiod.ts'
import { certify, createIdentity, meet, type Workload } from './harness/istio/workload.ts'
import { at, conditionOf, textAt } from './harness/json.ts'
import { istioLeftOut } from './harness/tools.ts'
import { until } from './harness/until.ts'
import { certificate } from './product/manifests.ts'
import { meshRoots } from './product/mesh.ts'
import { faultsOf, strangerTo } from './product/mesh_workloads.ts'
import { certificatesIn, clusterIssuers, requestsIn } from './product/scene.ts'
import { type SharedMesh, type SharedMeshes, startSharedMeshes } from './product/shared_meshes.ts'
import { readSecret, type TlsSecret } from './product/tls_secret.ts'

const title = 'two meshes under one CA, by docs/tutorials/one_ca_for_all_meshes.md'

describe(title, { skip: istioLeftOut() }, () => {
  let all: SharedMeshes
  let a: SharedMesh
  let b: SharedMesh
  let inA: Workload
  let inB: Workload
  before(async () => {
    const kinds = ['gateways', 'virtualservices', 'serviceentries', 'destinationrules']
    all = await startSharedMeshes({ crds: await istioCrds(kinds) })
    ;[a, b] = all.meshes
    ;[inA, inB] = await Promise.all([workloadOf(a, 'frontend'), workloadOf(b, 'backend')])
  })
  after(() => all?.stop())

  test('the roots are the same to the octet, and the keys are not', async () => {
    assert.equal(a.digest, b.digest)
    for (const mesh of [a, b]) {
      assert.equal(mesh.roots, all.ca.pem)
      assert.equal(await meshRoots(mesh.istiod, 'apps'), all.ca.pem)
    }
    const { subject, publicKey } = a.cacerts.leaf
    assert.equal(subject, 'O=cluster.local\nCN=istiod cluster-a')
    assert.equal(b.cacerts.leaf.subject, 'O=cluster.local\nCN=istiod cluster-b')
    assert.ok(!publicKey.equals(b.cacerts.leaf.publicKey))
    assert.ok(publicKey.equals(createPublicKey(a.cacerts.privateKey)))
    const [specA, specB] = await Promise.all(
      [a, b].map(async ({ scene }) =>
        at(await scene.cluster.must('GET', `${clusterIssuers}/mesh-ca`), 'spec'),
      ),
    )
    assert.deepEqual(specA, specB)
  })

  test('workloads of both meet by mutual TLS, each as server and as client; OpenSSL agrees', async () => {
    for (const [server, client] of [
      [inA, inB],
      [inB, inA],
    ] as const) {
      const meeting = await meet(server, client)
      assert.deepEqual(meeting, { server: client.identity, client: server.identity })
      assert.deepEqual(await faultsOf({ chain: server.chain, roots: client.roots }), [])
    }
  })

  test('a mesh with a root of its own is a stranger to both', async () => {
    for (const one of [inA, inB]) {
      const stranger = strangerTo(one)
      const met = await meet(stranger, one)
      assert.equal(met.client, 'self-signed certificate in certificate chain')
      // It trusts the two, so that the server has to say no.
      const asClient = await meet(one, { ...stranger, roots: one.roots })
      assert.equal(asClient.server, 'SELF_SIGNED_CERT_IN_CHAIN')
      const [fault] = await faultsOf({ chain: stranger.chain, roots: one.roots })
      assert.match(fault?.detail ?? '', /self-signed certificate in certificate chain/)
    }
  })

  describe('who gets a CA', () => {
    const ca = {
      isCA: true,
      commonName: 'istiod apps',
      dnsNames: [],
      usages: ['cert sign', 'crl sign', 'digital signature'],
    }
    const refusals = [
      {
        namespace: 'apps',
        issuer: 'mesh-ca',
        words: /namespace "apps" may not use this issuer \(policy\.namespaces\); ask the operator/,
      },
      {
        namespace: istioNamespace,
        issuer: 'gateways',
        words:
          /this issuer does not answer requests with isCA: true; ask for a certificate without/,
      },
    ]
    for (const { namespace, issuer, words } of refusals) {
      test(`nobody in ${namespace} by issuer ${issuer}`, async () => {
        const { cluster } = a.scene
        const wanted = certificate(`ca-by-${issuer}`, { issuer, spec: ca })
        await cluster.must('POST', certificatesIn(namespace), wanted)
        const request: ApiPath = `${requestsIn(namespace)}/ca-by-${issuer}-1`
        const refused = await a.scene.ready(request, 'False', 'Failed')
        assert.match(textAt(conditionOf(refused, 'Ready'), 'message'), words)
      })
    }
  })

  test('what istiod could sign with its key is good in the mesh alone', async () => {
    const stolen = authorityOf(a.cacerts)
    const chainOf = (name: Uint8Array) => leafOf(stolen, name) + a.cacerts.leaf.toString()
    const wordsOf = async (name: Uint8Array) => {
      const faults = await faultsOf({ chain: chainOf(name), roots: inB.roots })
      return faults.map(({ detail }) => /error \d+ at .*: (.*)/.exec(detail)?.[1])
    }
    const outside = 'permitted subtree violation'
    assert.deepEqual(await wordsOf(uriName('spiffe://cluster.local/ns/apps/sa/web')), [])
    const stranger = uriName('spiffe://fabrikam.com/ns/apps/sa/web')
    assert.deepEqual(await wordsOf(stranger), [outside, outside])
    assert.deepEqual(await wordsOf(dnsName('www.example.com')), [outside, outside])
  })

  describe('gateways', () => {
    let gatewayOfA: TlsSecret
    before(async () => {
      for (const mesh of [a, b]) {
        const { istiod, roots, tutorial } = mesh
        const labels = { istio: 'ingressgateway' }
        await startEnvoyGateway(istiod, { namespace: istioNamespace, labels, roots })
        await tutorial.follow('A gateway in each cluster')
        await tutorial.follow('From one gateway to the other')
      }
      gatewayOfA = await readSecret(a.scene, istioNamespace, 'istio-ingressgateway-certs')
    })

    const toB = () => {
      const host = 'istio-ingressgateway.cluster-b.example.com'
      return { port: b.ports.https, host, roots: a.roots }
    }
    const failure = async (client?: Workload) => {
      const answer = await requestOnce({ ...toB(), ...(client && { certificate: client }) })
      return 'failure' in answer ? answer.failure : 'let in'
    }

    test('each reaches the other by mutual TLS', async () => {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const said = await until(`${to.name} answers`, () => askThrough(from, to))
        assert.equal(said, `hello from ${to.name}`)
      }
    })

    test('the certificate of the other gateway is what lets it in', async () => {
      const chain = [gatewayOfA.leaf, ...gatewayOfA.above].join('')
      const key = gatewayOfA.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const answer = await requestOnce({ ...toB(), certificate: { chain, key } })
      assert.equal('body' in answer ? answer.body : answer.failure, 'hello from cluster-b')
    })

    test('nobody else comes in: no workload, no stranger, nobody without a certificate', async () => {
      assert.match(await failure(inA), /alert certificate unknown/)
      assert.match(await failure(strangerTo(inA)), /alert unknown ca/)
      assert.match(await failure(), /alert certificate required/)
    })
  })

  test('every block of the tutorial was followed, in both', () => {
    assert.deepEqual([a.tutorial.left, b.tutorial.left], [[], []])
  })
})

async function workloadOf({ istiod, roots }: SharedMesh, name: string): Promise<Workload> {
  return await certify(istiod, await createIdentity(istiod, 'apps', name), roots)
}

/** Sends a request for the other cluster to the own gateway, without TLS as inside a cluster. */
function askThrough(from: SharedMesh, to: SharedMesh): Promise<string | false> {
  const host = `istio-ingressgateway.${to.name}.example.com`
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: from.ports.http, headers: { host } }, async (response) => {
      const body = (await response.toArray()).join('')
      if (response.statusCode === 200) resolve(body)
      else reject(new Error(`${response.statusCode} ${body}`))
    }).on('error', reject)
  })
}

function authorityOf({ leaf, privateKey }: TlsSecret): Ca {
  const parsed = parseCertificate(leaf.raw)
  assert.ok(parsed.ok)
  const publicKey = createPublicKey(privateKey)
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  return { certificate: parsed.value, key: { privateKey, publicKey, spki } }
}

/** PEM. */
function leafOf(issuer: Ca, name: Uint8Array): string {
  const leaf = makeCa({
    ca: false,
    keyUsage: 0,
    // OpenSSL wants one, or the names critical.
    subject: makeName({ '2.5.4.10': 'cluster.local' }),
    key: makeKey('ECDSA P-256'),
    issuer,
    notBefore: Date.now() - 60_000,
    notAfter: Date.now() + day,
    extensions: [subjectAltName(name)],
  })
  return encodePem('CERTIFICATE', leaf.certificate.der)
}
