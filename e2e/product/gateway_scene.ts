import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startEnvoyGateway } from '../harness/istio/envoy.ts'
import { gatewayCrds } from '../harness/istio/istio_crds.ts'
import { istioNamespace } from '../harness/istio/istiod.ts'
import { freePorts } from '../harness/ports.ts'
import { Tutorial } from '../tutorial/tutorial.ts'
import { LeafIssuer } from './delivered.ts'
import { textOf } from './delivery_scene.ts'
import { type Mesh, startMesh } from './mesh.ts'
import { clusterIssuers, type Scene, startScene } from './scene.ts'

/** What the reader of docs/tutorials/gateway.md has before the first step, and the steps. */
export interface GatewayScene {
  readonly scene: Scene
  readonly tutorial: Tutorial
  /** Where the gateway listens in place of 443. */
  readonly port: number
  readonly mesh: Mesh
  /** The other CA, whose certificate for shop.example.com is in the vault. */
  readonly shopCa: LeafIssuer
}

export async function startGatewayScene(): Promise<GatewayScene> {
  const scene = await startScene({
    latencyMs: 20,
    crds: await gatewayCrds(),
    certManagerArgs: ['--enable-gateway-api'],
    controllerFlags: ['--certificate-poll-interval=1s'],
  })
  const { cluster, vault, ca } = scene
  try {
    const mesh = await startMesh(scene, 'cluster-a')
    const labels = { istio: 'ingressgateway' }
    await startEnvoyGateway(mesh.istiod, {
      namespace: istioNamespace,
      labels,
      roots: rootsOf(mesh),
    })

    const shopCa = new LeafIssuer()
    await shopCa.import(vault, 'shop')
    // The tutorial creates it.
    await cluster.must('DELETE', `${clusterIssuers}/akv-issuer`)
    const [port = 0] = await freePorts(1)
    const tutorial = new Tutorial(cluster, 'docs/tutorials/gateway.md', {
      replace: new Map([
        ['name: gateway-ca, version: 0123456789abcdef0123456789abcdef', nameAndVersion(ca.key)],
        // A gateway behind a load balancer listens on every address of its pod.
        ['- port: {number: 443,', `- bind: 127.0.0.1\n      port: {number: ${port},`],
        ['203.0.113.10:443', `127.0.0.1:${port}`],
      ]),
      // Azure's own command line, whose answer is replaced above; and cmctl, whose write to the
      // Certificate the tests make themselves.
      cannotRun: ['az ', 'cmctl '],
    })
    writeFileSync(join(tutorial.folder, 'ca.crt'), ca.pem)
    return { scene, tutorial, port, mesh, shopCa }
  } catch (error) {
    await scene.stop()
    throw error
  }
}

/**
 * What Istio deploys for a Gateway of Kubernetes with that name: a Service and an Envoy behind it.
 *
 * @returns where the Envoy listens for what comes to port 443 of the Service
 */
export async function deployGateway(
  { mesh, scene }: GatewayScene,
  gateway: string,
): Promise<number> {
  const name = `${gateway}-istio`
  const labels = { 'gateway.networking.k8s.io/gateway-name': gateway }
  const [targetPort = 0] = await freePorts(1)
  await scene.cluster.must('POST', `/api/v1/namespaces/${istioNamespace}/services`, {
    metadata: { name },
    spec: { selector: labels, ports: [{ name: 'https', port: 443, targetPort }] },
  })
  const roots = rootsOf(mesh)
  await startEnvoyGateway(mesh.istiod, { name, namespace: istioNamespace, labels, roots })
  return targetPort
}

function rootsOf({ ca }: Mesh): string {
  return textOf(ca.secret, 'ca.crt')
}

function nameAndVersion({ name, version }: { name: string; version: string }): string {
  return `name: ${name}, version: ${version}`
}
