import type { X509Certificate } from 'node:crypto'
import type { ApiPath } from '../harness/cluster.ts'
import { shakeHands } from '../harness/istio/handshake.ts'
import {
  type Istiod,
  type IstiodOptions,
  istiodHost,
  istioNamespace,
  startIstiod,
} from '../harness/istio/istiod.ts'
import { at } from '../harness/json.ts'
import { until } from '../harness/until.ts'
import type { VaultCa } from './ca.ts'
import { clusterIssuer, ourGroup } from './manifests.ts'
import { certificatesIn, clusterIssuers, type Scene } from './scene.ts'
import { issued, type TlsSecret } from './tls_secret.ts'

/** The Certificate that becomes istiod's CA. */
export const cacertsPath: ApiPath = `${certificatesIn(istioNamespace)}/cacerts`

/** A ClusterIssuer that makes CAs for istiod and for nobody else; they can issue into the mesh alone. */
export function meshIssuer(vaultUrl: string, ca: VaultCa) {
  const isCA = {
    allowed: true,
    namespaces: { names: [istioNamespace] },
    commonNames: ['istiod *'],
    nameConstraints: { permitted: { uriDomains: ['cluster.local'], dnsDomains: ['svc'] } },
  }
  return clusterIssuer('mesh-ca', vaultUrl, ca, { policy: { isCA } })
}

/** What a platform team writes, in each cluster with the cluster's name. */
export function cacerts(clusterName: string) {
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: 'cacerts', namespace: istioNamespace },
    spec: {
      secretName: 'cacerts',
      isCA: true,
      commonName: `istiod ${clusterName}`,
      subject: { organizations: ['cluster.local'] },
      // Without server auth and client auth: those would limit what stands below.
      usages: ['cert sign', 'crl sign', 'digital signature'],
      privateKey: { algorithm: 'ECDSA', size: 256, rotationPolicy: 'Always' },
      duration: '2160h',
      renewBefore: '720h',
      issuerRef: { name: 'mesh-ca', kind: 'ClusterIssuer', group: ourGroup },
    },
  }
}

export interface Mesh {
  readonly istiod: Istiod
  /** As it was when istiod started. */
  readonly ca: TlsSecret
}

/** Has istiod's CA issued, and only then starts istiod, which would make a CA of its own otherwise. */
export async function startMesh(
  scene: Scene,
  clusterName: string,
  options: IstiodOptions = {},
): Promise<Mesh> {
  const { cluster, vault } = scene
  await cluster.must('POST', '/api/v1/namespaces', { metadata: { name: istioNamespace } })
  await cluster.must('POST', clusterIssuers, meshIssuer(vault.url, scene.ca))
  await scene.ready(`${clusterIssuers}/mesh-ca`)
  await cluster.must('POST', certificatesIn(istioNamespace), cacerts(clusterName))
  const ca = await issued(scene, istioNamespace, 'cacerts')
  return { istiod: await startIstiod(cluster, options), ca }
}

/** What istiod shows to proxies: its own certificate first. Throws when the roots do not verify it. */
export function shownBy(istiod: Istiod, roots: string): Promise<readonly X509Certificate[]> {
  return shakeHands({ port: istiod.securePort, host: istiodHost, roots })
}

/** What istiod tells the workloads of a namespace to trust, once it does. */
export async function meshRoots({ cluster }: Istiod, namespace: string): Promise<string> {
  const path: ApiPath = `/api/v1/namespaces/${namespace}/configmaps/istio-ca-root-cert`
  return await until(`${path} written`, async () => {
    const roots = at((await cluster.api('GET', path)).body, 'data', 'root-cert.pem')
    return typeof roots === 'string' && roots
  })
}
