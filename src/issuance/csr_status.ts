import { kubeTime } from '../api/conditions.ts'
import {
  type KubernetesCsr,
  kubernetesCsrApiVersion,
  kubernetesCsrKind,
} from '../api/kubernetes_csr.ts'
import { fieldManager } from '../api/names.ts'
import type { ErrorCode } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import type { IssuedCertificate } from '../pki/seal.ts'
import { base64 } from './request_status.ts'

/** The last word on a CertificateSigningRequest; there is no other that its status could hold. */
export type CsrAnswer =
  | { readonly kind: 'Issued'; readonly certificate: IssuedCertificate }
  | { readonly kind: 'Failed'; readonly code: ErrorCode; readonly message: string }

/**
 * Writes the answer as one apply: the certificate, or the condition Failed. The precondition is
 * `metadata.resourceVersion`, since names may be used again.
 *
 * The certificate is leaf and intermediates. The root is not in it: whoever takes the end of a chain
 * for a root trusts whoever answers.
 *
 * @throws IssuerError `KubeConflict` when the request changed since it was read
 */
export async function writeCsrAnswer(
  kube: KubeClient,
  request: KubernetesCsr,
  answer: CsrAnswer,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  await kube.request(
    {
      method: 'PATCH',
      path: kubernetesCsrPath(request.name, 'status'),
      query: { fieldManager, force: true },
      contentType: 'application/apply-patch+yaml',
      body: {
        apiVersion: kubernetesCsrApiVersion,
        kind: kubernetesCsrKind,
        metadata: { name: request.name, resourceVersion: request.resourceVersion },
        status:
          answer.kind === 'Issued'
            ? { certificate: base64(answer.certificate.chainPem) }
            : { conditions: [failedCondition(answer, now)] },
      },
    },
    signal,
  )
}

/** Of one request, or of all. */
export function kubernetesCsrPath(name?: string, subresource?: 'status'): string {
  return resourcePath({
    group: 'certificates.k8s.io',
    version: 'v1',
    resource: 'certificatesigningrequests',
    ...(name !== undefined && { name }),
    ...(subresource && { subresource }),
  })
}

function failedCondition(
  { code, message }: Extract<CsrAnswer, { kind: 'Failed' }>,
  now: number,
): Readonly<Record<string, string>> {
  const time = kubeTime(now)
  const times = { lastUpdateTime: time, lastTransitionTime: time }
  return { type: 'Failed', status: 'True', reason: code, message, ...times }
}
