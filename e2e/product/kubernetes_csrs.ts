import type { ApiPath } from '../harness/cluster.ts'
import { at, conditionOf, type Json, listAt, textAt } from '../harness/json.ts'
import { GiveUp, until } from '../harness/until.ts'
import type { Scene } from './scene.ts'

export const kubernetesCsrs: ApiPath = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
export const signerDomain = 'clusterissuers.keyvault.akv-issuer.io'

export interface KubernetesCsrOptions {
  /** Default: that of ClusterIssuer `akv-issuer`. */
  readonly signerName?: string
  readonly usages?: readonly string[]
  readonly expirationSeconds?: number
}

/** A CertificateSigningRequest as istiod makes one for a workload. */
export function kubernetesCsr(name: string, csrPem: string, options: KubernetesCsrOptions = {}) {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(csrPem).toString('base64'),
      signerName: options.signerName ?? `${signerDomain}/akv-issuer`,
      usages: options.usages ?? [
        'digital signature',
        'key encipherment',
        'server auth',
        'client auth',
      ],
      ...(options.expirationSeconds !== undefined && {
        expirationSeconds: options.expirationSeconds,
      }),
    },
  }
}

/** As `kubectl certificate approve` and `deny` do, as the admin. */
export async function judge(
  { cluster }: Scene,
  request: Json,
  verdict: 'Approved' | 'Denied' = 'Approved',
): Promise<void> {
  const path: ApiPath = `${kubernetesCsrs}/${textAt(request, 'metadata', 'name')}`
  await until(`${verdict}: ${path}`, async () => {
    const object = await cluster.must('GET', path)
    const condition = { type: verdict, status: 'True', reason: 'Test', message: 'by the test' }
    const conditions = [...listAt(object, 'status', 'conditions'), condition]
    const { code, body } = await cluster.api('PUT', `${path}/approval`, {
      ...Object(object),
      status: { ...Object(at(object, 'status')), conditions },
    })
    if (code !== 200 && code !== 409) throw new GiveUp(JSON.stringify(body))
    return code === 200
  })
}

/** The request once it holds a certificate. */
export function issuedCsr(scene: Scene, name: string, ms?: number): Promise<Json> {
  return scene.object(
    `${kubernetesCsrs}/${name}`,
    'a certificate',
    (object) => at(object, 'status', 'certificate') !== undefined,
    ms,
  )
}

/** The request once it is Failed. */
export function failedCsr(scene: Scene, name: string): Promise<Json> {
  return scene.object(
    `${kubernetesCsrs}/${name}`,
    'Failed',
    (object) => conditionOf(object, 'Failed') !== undefined,
  )
}

/** `status.certificate` as text. */
export function chainOf(request: Json): string {
  return Buffer.from(textAt(request, 'status', 'certificate'), 'base64').toString()
}
