import { X509Certificate } from 'node:crypto'
import type { ApiPath } from '../harness/cluster.ts'
import { at, type Json, listAt, textAt } from '../harness/json.ts'
import { until } from '../harness/until.ts'
import {
  allowDelivery,
  deliverIssuer,
  LeafIssuer,
  openToDelivery,
  type VaultVersion,
} from './delivered.ts'
import { certificate } from './manifests.ts'
import {
  certificatesIn,
  clusterIssuers,
  type Scene,
  type SceneOptions,
  startScene,
} from './scene.ts'
import { certificatesOf, idOf } from './tls_secret.ts'

/** A scene whose vault holds certificates of another CA, and a namespace that may have them. */
export interface DeliveryScene {
  readonly scene: Scene
  readonly leaves: LeafIssuer
  readonly namespace: string
  /** Of the Certificates in it. */
  readonly path: ApiPath
}

export async function startDeliveryScene(options: SceneOptions = {}): Promise<DeliveryScene> {
  const controllerFlags = ['--certificate-poll-interval=1s']
  const scene = await startScene({ latencyMs: 20, controllerFlags, ...options })
  const namespace = await scene.cluster.namespace('deliver')
  await allowDelivery(scene.cluster)
  await openToDelivery(scene.cluster, namespace)
  return { scene, leaves: new LeafIssuer(), namespace, path: certificatesIn(namespace) }
}

/** Creates a ClusterIssuer of the name, and waits for it to be Ready. */
export async function createDeliverIssuer(
  { scene }: DeliveryScene,
  name: string,
  certificates: Parameters<typeof deliverIssuer>[2] = [name],
  spec = {},
): Promise<void> {
  const issuer = deliverIssuer(name, scene.vault.url, certificates, spec)
  await scene.cluster.must('POST', clusterIssuers, issuer)
  await scene.ready(`${clusterIssuers}/${name}`)
}

/** Creates a Certificate for `NAME.example.com` of the issuer with that name. */
export async function createCertificate(
  { scene, path }: DeliveryScene,
  name: string,
  options: Parameters<typeof certificate>[1] = {},
): Promise<Json> {
  return await scene.cluster.must('POST', path, certificate(name, { issuer: name, ...options }))
}

/**
 * Has the next reading of a certificate's secret take `ms`.
 *
 * @returns resolves once the vault holds it back
 */
export async function holdSecret(
  { scene: { vault } }: DeliveryScene,
  name: string,
  ms: number,
): Promise<() => Promise<void>> {
  const object = `contoso/${name}`
  await vault.admin('POST', '/faults', { operation: 'secrets/get', object, delay: ms })
  return async () => {
    await until(`the secret of ${name} is being read`, async () => {
      const waiting = listAt(await vault.admin('GET', '/faults'), 'faults')
      return !waiting.some((fault) => at(fault, 'object') === object)
    })
  }
}

/** The Secret `NAME-tls` once its leaf is that of the version. */
export async function deliveredSecret(
  { scene, namespace }: DeliveryScene,
  name: string,
  version: VaultVersion,
  ms?: number,
): Promise<Json> {
  const path: ApiPath = `/api/v1/namespaces/${namespace}/secrets/${name}-tls`
  const is = (secret: Json) => leafIdOf(secret) === idOf(version.leaf)
  return await scene.object(path, `holds version ${version.version}`, is, ms)
}

export function leafIdOf(secret: Json): string | undefined {
  const encoded = at(secret, 'data', 'tls.crt')
  if (typeof encoded !== 'string') return undefined
  return idOf(certificatesOf(Buffer.from(encoded, 'base64').toString())[0])
}

export function textOf(secret: Json, key: string): string {
  return Buffer.from(textAt(secret, 'data', key), 'base64').toString()
}

export function x509(der: Uint8Array): X509Certificate {
  return new X509Certificate(der)
}
