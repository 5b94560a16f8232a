import { type Condition, kubeTime, sameCondition, transition } from '../api/conditions.ts'
import type { Issuer } from '../api/issuer.ts'
import { apiVersion, fieldManager, group, pluralByKind, version } from '../api/names.ts'
import { objectAt, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { nameText, serialText } from '../pki/names.ts'
import type { IssuerState, Signer } from './issuer_state.ts'

/** The status that an issuer is to show. Without `ca` where no CA was proven. */
export interface IssuerStatus {
  readonly mode: 'sign'
  readonly conditions: readonly [Condition]
  readonly ca?: CaStatus
}

export interface CaStatus {
  readonly subject: string
  readonly serial: string
  readonly notBefore: string
  readonly notAfter: string
  readonly keyId: string
  readonly algorithm: string
}

/** The status to write for `state`, or `undefined` when the issuer shows it already. */
export function statusToWrite(
  issuer: Issuer,
  state: Exclude<IssuerState, { kind: 'unknown' }>,
  now: number,
): IssuerStatus | undefined {
  const draft = { type: 'Ready', observedGeneration: issuer.generation, ...readyOf(state) } as const
  const ca = state.kind === 'ready' ? caStatus(state.signer) : undefined
  const shown = objectAt(issuer.status, 'ca')
  const sameCa =
    ca === undefined
      ? shown === undefined
      : Object.entries(ca).every(([key, value]) => textAt(shown, key) === value)
  if (sameCa && sameCondition(issuer.ready, draft)) return undefined
  return {
    mode: 'sign',
    conditions: [transition(issuer.ready, draft, now)],
    ...(ca && { ca }),
  }
}

/** Applies the whole of our status. What is left out of it is taken away. */
export async function writeIssuerStatus(
  kube: KubeClient,
  issuer: Issuer,
  status: IssuerStatus,
  signal: AbortSignal,
): Promise<void> {
  await kube.request(
    {
      method: 'PATCH',
      path: resourcePath({
        group,
        version,
        resource: pluralByKind[issuer.kind],
        ...(issuer.kind === 'Issuer' && { namespace: issuer.namespace }),
        name: issuer.name,
        subresource: 'status',
      }),
      query: { fieldManager, force: true },
      contentType: 'application/apply-patch+yaml',
      body: {
        apiVersion,
        kind: issuer.kind,
        // With the version as precondition, a status never lands on another object of that name.
        metadata: { name: issuer.name, resourceVersion: issuer.resourceVersion },
        status,
      },
    },
    signal,
  )
}

function readyOf(state: Exclude<IssuerState, { kind: 'unknown' }>) {
  if (state.kind === 'ready') {
    const { keyId, authority } = state.signer
    return {
      status: 'True',
      reason: 'Verified',
      message:
        `${keyId} signed a test (${authority.algorithm.name}) that verifies with the CA certificate ` +
        `"${nameText(authority.certificate.subject)}", valid until ` +
        kubeTime(authority.certificate.notAfter),
    } as const
  }
  if (state.kind === 'suspended') {
    const message = 'spec.suspend is true: requests wait until it is false'
    return { status: 'False', reason: 'IssuerSuspended', message } as const
  }
  return { status: 'False', reason: state.code, message: state.message } as const
}

function caStatus({ authority, keyId }: Signer): CaStatus {
  const { certificate, algorithm } = authority
  return {
    subject: nameText(certificate.subject),
    serial: serialText(certificate.serialNumber),
    notBefore: kubeTime(certificate.notBefore),
    notAfter: kubeTime(certificate.notAfter),
    keyId,
    algorithm: algorithm.name,
  }
}
