import type { CertificateRequest } from '../api/certificate_request.ts'
import { kubeTime, transition } from '../api/conditions.ts'
import {
  certManagerApiVersion,
  certManagerGroup,
  fieldManager,
  type RequestReason,
} from '../api/names.ts'
import type { ErrorCode } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'

/** The answer to a request, as its status is to say it. */
export type Answer =
  | {
      readonly reason: 'Issued'
      readonly message: string
      readonly certificate: {
        /** Leaf first, no root: `status.certificate`. */
        readonly chainPem: string
        /** `status.ca`; empty where no root is known. */
        readonly caPem: string
      }
    }
  | { readonly reason: 'Pending' | 'Failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly reason: 'Denied'; readonly message: string }

/** Reasons that cert-manager reads only together with a `failureTime`. */
const needsFailureTime: ReadonlySet<RequestReason> = new Set(['Failed', 'Denied'])

/**
 * Writes the answer as one apply of our fields alone: Ready, and with it certificate and ca.
 *
 * The precondition is `metadata.resourceVersion`: names are used again by cert-manager, and an apply
 * ignores `metadata.uid`. Forced, since cert-manager's controllers own Ready on references without
 * our group.
 *
 * @throws IssuerError `KubeConflict` when the request changed since it was read
 */
export async function writeAnswer(
  kube: KubeClient,
  request: CertificateRequest,
  answer: Answer,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const ready = transition(
    request.ready,
    {
      type: 'Ready',
      status: answer.reason === 'Issued' ? 'True' : 'False',
      reason: answer.reason,
      message: answer.message,
    },
    now,
  )
  await kube.request(
    {
      method: 'PATCH',
      path: certificateRequestPath(request, 'status'),
      query: { fieldManager, force: true },
      contentType: 'application/apply-patch+yaml',
      body: {
        apiVersion: certManagerApiVersion,
        kind: 'CertificateRequest',
        metadata: {
          name: request.name,
          namespace: request.namespace,
          resourceVersion: request.resourceVersion,
        },
        status: {
          conditions: [ready],
          ...(answer.reason === 'Issued' && {
            certificate: base64(answer.certificate.chainPem),
            ...(answer.certificate.caPem !== '' && { ca: base64(answer.certificate.caPem) }),
          }),
          ...(needsFailureTime.has(answer.reason) && { failureTime: kubeTime(now) }),
        },
      },
    },
    signal,
  )
}

export function certificateRequestPath(
  { namespace, name }: Pick<CertificateRequest, 'namespace' | 'name'>,
  subresource?: 'status',
): string {
  return resourcePath({
    group: certManagerGroup,
    version: 'v1',
    resource: 'certificaterequests',
    namespace,
    name,
    ...(subresource && { subresource }),
  })
}

/** Of text without characters beyond Latin-1, as PEM is. */
export function base64(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64')
}
