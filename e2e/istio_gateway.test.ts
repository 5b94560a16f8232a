import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodePem } from '../src/pki/pem.ts'
import { makeKey } from '../test/pki/keys.ts'
import { type Ca, day, makeCa } from '../test/pki/make_ca.ts'
import type { ApiPath, Cluster } from './harness/cluster.ts'
import { GatewayClient, type GatewayTarget, requestOnce } from './harness/istio/gateway_client.ts'
import { shakeHands } from './harness/istio/handshake.ts'
import { istioNamespace } from './harness/istio/istiod.ts'
import { istioLeftOut } from './harness/tools.ts'
import { until } from './harness/until.ts'
import { rotateBehindGateway } from './product/gateway_rotations.ts'
import { deployGateway, type GatewayScene, startGatewayScene } from './product/gateway_scene.ts'
import { certificate } from './product/manifests.ts'
import { renewByHand } from './product/renewal.ts'
import { certificatesIn, clusterIssuers } from './product/scene.ts'
import { idOf, issued, readSecret } from './product/tls_secret.ts'

// e2e/soak/istio_gateway.ts does the same with more rotations.
describe('an Istio gateway, by docs/tutorials/gateway.md', { skip: istioLeftOut() }, () => {
  let here: GatewayScene
  before(async () => {
    here = await startGatewayScene()
  })
  after(() => here?.scene.stop())

  const target = (name: string, roots: string): GatewayTarget => {
    return { port: here.port, host: `${name}.example.com`, roots }
  }
  /** The answer once the gateway gives one; it must be the first that is not a failure. */
  const answerOf = (from: GatewayTarget) =>
    until(`${from.host} answers`, async () => {
      const answer = await requestOnce(from)
      return 'body' in answer && answer.body
    })

  test('the steps lead to an answer over TLS', async () => {
    const { tutorial, scene } = here
    for (const section of ['Issuer', 'Certificate', 'Gateway']) await tutorial.follow(section)
    assert.equal(await answerOf(target('myapp', scene.ca.pem)), 'hello from myapp')
    assert.equal(await tutorial.follow('See it'), 'hello from myapp')
  })

  test('renewed by our issuer under a client that never stops', async (t) => {
    const { scene, tutorial } = here
    await tutorial.follow('Renewal')
    const path = `${certificatesIn(istioNamespace)}/myapp-cert` as const
    const seen = await rotateBehindGateway(
      scene,
      target('myapp', scene.ca.pem),
      'myapp-tls',
      5,
      () => renewByHand(scene, path),
    )
    t.diagnostic(seen.described)
    assert.deepEqual(seen.failures, [])
    assert.ok(seen.handshakes >= 1_250, seen.described)
  })

  test('the manifest without a group does as well, where the issuer answers those', async () => {
    const { scene } = here
    const issuer = `${clusterIssuers}/akv-issuer` as const
    await scene.cluster.must('PATCH', issuer, { spec: { answerUngrouped: true } })
    await scene.ready(issuer)
    const old = await readSecret(scene, istioNamespace, 'myapp-tls')
    const manifest = join(import.meta.dirname, 'demo', 'myapp-cert.yaml')
    const { code, stderr } = await scene.cluster.kubectl(['apply', '-f', manifest])
    assert.equal(code, 0, stderr)
    const { leaf } = await until('issued anew', async () => {
      const now = await readSecret(scene, istioNamespace, 'myapp-tls')
      return idOf(now.leaf) !== idOf(old.leaf) && now
    })
    await until('shown by the gateway', async () => {
      const answer = await requestOnce(target('myapp', scene.ca.pem))
      return 'serial' in answer && answer.serial === leaf.serialNumber
    })
  })

  test('rotated in Key Vault under a client that never stops', async (t) => {
    const { scene, tutorial, shopCa } = here
    await tutorial.follow('Certificates that Key Vault owns')
    const shop = target('shop', encodePem('CERTIFICATE', shopCa.root.certificate.der))
    assert.equal(await answerOf(shop), 'hello from shop')
    const rotate = async () => void (await shopCa.import(scene.vault, 'shop'))
    const seen = await rotateBehindGateway(scene, shop, 'shop-tls', 5, rotate)
    t.diagnostic(seen.described)
    assert.deepEqual(seen.failures, [])
    assert.ok(seen.handshakes >= 1_250, seen.described)
  })

  describe('where clients show certificates', () => {
    const partnersCa = makeCa({ name: 'Partners', ...life() })
    let partners: GatewayTarget
    before(async () => {
      const { tutorial, scene } = here
      const file = join(tutorial.folder, 'partners-ca.crt')
      writeFileSync(file, encodePem('CERTIFICATE', partnersCa.certificate.der))
      await tutorial.follow('Clients with certificates')
      partners = target('partners', scene.ca.pem)
    })

    test('a client of the CA in the second Secret is let in', async () => {
      assert.equal(
        await answerOf({ ...partners, certificate: clientOf(partnersCa) }),
        'hello from partners',
      )
    })

    test('one of another CA is not', async () => {
      const stranger = clientOf(makeCa({ name: 'Fabrikam', ...life() }))
      const answer = await requestOnce({ ...partners, certificate: stranger })
      assert.match('failure' in answer ? answer.failure : 'let in', /alert unknown ca/)
    })

    test('one without a certificate is not', async () => {
      const answer = await requestOnce(partners)
      assert.match('failure' in answer ? answer.failure : 'let in', /alert certificate required/)
    })

    test('one whom the CA of the gateway itself made a client is let in only without that Secret', async () => {
      const { scene } = here
      const path = certificatesIn(istioNamespace)
      const usages = ['digital signature', 'client auth']
      await scene.cluster.must('POST', path, certificate('visitor', { spec: { usages } }))
      const { leaf, privateKey } = await issued(scene, istioNamespace, 'visitor')
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const visitor = { chain: leaf.toString(), key }
      const answer = await requestOnce({ ...partners, certificate: visitor })
      assert.match('failure' in answer ? answer.failure : 'let in', /alert unknown ca/)

      // The trap that the tutorial warns of.
      await scene.cluster.must('POST', path, certificate('careless'))
      await createGateway(scene.cluster, here.port, 'careless')
      const careless = { ...target('careless', scene.ca.pem), certificate: visitor }
      assert.equal(await answerOf(careless), 'hello from careless')
    })
  })

  test('an annotated Gateway of the Kubernetes API serves its Secret, and what it is renewed to', async () => {
    const { scene, tutorial } = here
    const port = await deployGateway(here, 'blog')
    await tutorial.follow('Kubernetes Gateway API')
    const first = await issued(scene, istioNamespace, 'blog-tls')
    assert.equal(first.leaf.subjectAltName, 'DNS:blog.example.com')
    const serves = (serial: string) =>
      until(`serial ${serial} on the wire`, async () => {
        const [leaf] = await shakeHands({ ...target('blog', scene.ca.pem), port })
        return leaf?.serialNumber === serial
      })
    await serves(first.leaf.serialNumber)
    await renewByHand(scene, `${certificatesIn(istioNamespace)}/blog-tls`)
    const second = await until('issued anew', async () => {
      const { leaf } = await readSecret(scene, istioNamespace, 'blog-tls')
      return idOf(leaf) !== idOf(first.leaf) && leaf
    })
    await serves(second.serialNumber)
  })

  test('every block of the tutorial was followed', () => {
    assert.deepEqual(here.tutorial.left, [])
  })

  test('a gateway that goes away is seen by each of the three connections', async () => {
    const { scene } = here
    const client = new GatewayClient(target('myapp', scene.ca.pem))
    const { held } = client
    await until('all in use', () => client.handshakes > 0 && held.http1 > 0 && held.http2 > 0)
    await scene.cluster.process('istio-ingressgateway').stop()
    const failed = (by: string) => client.failures.some((failure) => failure.startsWith(by))
    await until('noticed', () => ['handshake', 'HTTP/1.1', 'HTTP/2'].every(failed), 10_000)
    await client.stop()
  })
})

/** A Gateway in mode MUTUAL for `NAME.example.com` with Secret `NAME-tls`, and what it answers. */
async function createGateway(cluster: Cluster, port: number, name: string): Promise<void> {
  const path: ApiPath = `/apis/networking.istio.io/v1/namespaces/${istioNamespace}`
  const head = (kind: string) => ({
    apiVersion: 'networking.istio.io/v1',
    kind,
    metadata: { name },
  })
  const hosts = [`${name}.example.com`]
  const server = {
    bind: '127.0.0.1',
    port: { number: port, name: `https-${name}`, protocol: 'HTTPS' },
    hosts,
    tls: { mode: 'MUTUAL', credentialName: `${name}-tls` },
  }
  const gateway = { selector: { istio: 'ingressgateway' }, servers: [server] }
  await cluster.must('POST', `${path}/gateways`, { ...head('Gateway'), spec: gateway })
  const answer = { status: 200, body: { string: `hello from ${name}` } }
  const routes = { hosts, gateways: [name], http: [{ directResponse: answer }] }
  await cluster.must('POST', `${path}/virtualservices`, { ...head('VirtualService'), spec: routes })
}

function life(): { readonly notBefore: number; readonly notAfter: number } {
  return { notBefore: Date.now() - day, notAfter: Date.now() + day }
}

/** A client's certificate by the CA, and its key, as PEM. */
function clientOf(issuer: Ca): { readonly chain: string; readonly key: string } {
  const key = makeKey('ECDSA P-256')
  const leaf = makeCa({ name: 'client', ca: false, keyUsage: 0, key, issuer, ...life() })
  return {
    chain: encodePem('CERTIFICATE', leaf.certificate.der),
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}
