import { type CertificateRequest, isAnswered } from '../api/certificate_request.ts'
import type { KubeClient } from '../kube/client.ts'
import { selectsByLabel } from '../pki/policy.ts'
import type { Courier } from './courier.ts'
import type { Snapshot } from './decide.ts'
import type { IssuerState, ReadyState } from './issuer_state.ts'
import { readNamespaceLabels } from './namespace_labels.ts'

/** What a decision needs beside the request and its issuer, read live, where it needs it. */
export async function readFacts(
  request: CertificateRequest,
  issuer: IssuerState | undefined,
  { kube, courier }: { readonly kube: KubeClient; readonly courier: Courier },
  signal: AbortSignal,
): Promise<Pick<Snapshot, 'namespaceLabels' | 'delivery'>> {
  const { approved, denied, invalid, namespace } = request
  const isDue = approved && !denied && !invalid && !isAnswered(request)
  if (issuer?.kind !== 'ready' || !isDue) return { namespaceLabels: {}, delivery: undefined }
  const [namespaceLabels, delivery] = await Promise.all([
    // A label given a moment ago counts.
    needsLabels(issuer) ? readNamespaceLabels(kube, namespace, signal) : {},
    issuer.mode === 'deliver' ? courier.facts(request, issuer.deliverer, signal) : undefined,
  ])
  return { namespaceLabels, delivery }
}

function needsLabels(state: ReadyState): boolean {
  return state.mode === 'sign'
    ? state.signer.policy.needsLabels
    : state.deliverer.allowed.some(({ namespaces }) => selectsByLabel(namespaces))
}
