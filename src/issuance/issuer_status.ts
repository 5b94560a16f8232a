import { isDeepStrictEqual } from 'node:util'
import {
  type Condition,
  type ConditionDraft,
  findCondition,
  kubeTime,
  parseConditions,
  sameCondition,
  transition,
} from '../api/conditions.ts'
import type { Issuer } from '../api/issuer.ts'
import { apiVersion, fieldManager, group, pluralByKind, version } from '../api/names.ts'
import { IssuerError } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import type { Authority } from '../pki/authority.ts'
import { expiryNotes, limitNotes } from '../pki/authority_notes.ts'
import { nameText, serialText } from '../pki/names.ts'
import {
  type CertificateStatus,
  certificatesStatus,
  certificatesUsable,
} from './certificates_status.ts'
import type { IssuerState, Signer } from './issuer_state.ts'

/** The status that an issuer is to show. Without `ca` where no CA was proven. */
export interface IssuerStatus {
  readonly mode?: 'sign' | 'deliver'
  /** Ready first. */
  readonly conditions: readonly [Condition, ...Condition[]]
  readonly ca?: CaStatus
  readonly certificates?: readonly CertificateStatus[]
}

export interface CaStatus {
  readonly subject: string
  readonly serial: string
  readonly notBefore: string
  readonly notAfter: string
  readonly keyId: string
  readonly algorithm: string
}

/**
 * The status to write for `state`, or `undefined` when the issuer shows it already.
 *
 * @param behind what `RotationController.behind` says
 * @param more conditions besides those that follow from `state`
 */
export function statusToWrite(
  issuer: Issuer,
  state: Exclude<IssuerState, { kind: 'unknown' }>,
  now: number,
  behind: readonly string[] = [],
  more: readonly ConditionDraft[] = [],
): IssuerStatus | undefined {
  const shown = parseConditions(issuer.status)
  const observedGeneration = issuer.generation
  const ready = { type: 'Ready', observedGeneration, ...readyOf(state) }
  const drafts = [...otherConditions(state, behind, now), ...more].map((one) => ({
    ...one,
    observedGeneration,
  }))
  const details = detailsOf(issuer, state)
  const { mode, ca, certificates } = issuer.status ?? {}
  const isShown = (draft: ConditionDraft) => sameCondition(findCondition(shown, draft.type), draft)
  if (
    shown.length === drafts.length + 1 &&
    [ready, ...drafts].every(isShown) &&
    isDeepStrictEqual([mode, ca, certificates], [details.mode, details.ca, details.certificates])
  ) {
    return undefined
  }
  const write = (draft: ConditionDraft) => transition(findCondition(shown, draft.type), draft, now)
  return { ...details, conditions: [write(ready), ...drafts.map(write)] }
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

function detailsOf(
  { spec }: Issuer,
  state: Exclude<IssuerState, { kind: 'unknown' }>,
): Omit<IssuerStatus, 'conditions'> {
  const mode = spec instanceof IssuerError ? {} : { mode: spec.mode.type }
  if (state.kind !== 'ready') return mode
  return state.mode === 'sign'
    ? { ...mode, ca: caStatus(state.signer) }
    : { ...mode, certificates: certificatesStatus(state.offers) }
}

function otherConditions(
  state: Exclude<IssuerState, { kind: 'unknown' }>,
  behind: readonly string[],
  now: number,
): readonly ConditionDraft[] {
  if (state.kind !== 'ready') return []
  return state.mode === 'sign'
    ? caConditions(state.signer.authority, now)
    : [certificatesUsable(state.offers, behind)]
}

/** What a CA that can issue should be watched for. */
function caConditions(authority: Authority, now: number): readonly ConditionDraft[] {
  const ending = expiryNotes(authority, now)
  const limits = limitNotes(authority)
  return [
    {
      type: 'CAExpiring',
      status: ending.length > 0 ? 'True' : 'False',
      reason: ending.length > 0 ? 'ExpiresSoon' : 'FarFromExpiry',
      message: ending.join('; ') || 'every CA of the chain has 30 days or more left',
    },
    {
      type: 'CALimited',
      status: limits.length > 0 ? 'True' : 'False',
      reason: limits.length > 0 ? 'ChainLimits' : 'NoLimits',
      message: limits.join('; ') || 'the chain limits no usages, names or CAs below it',
    },
  ]
}

function readyOf(
  state: Exclude<IssuerState, { kind: 'unknown' }>,
): Pick<ConditionDraft, 'status' | 'reason' | 'message'> {
  if (state.kind === 'ready' && state.mode === 'deliver') {
    const { vaultHost } = state.deliverer
    const usable = state.offers.filter(({ current }) => current !== undefined).length
    const count = `${usable} of ${state.offers.length} certificates named`
    return {
      status: 'True',
      reason: 'Verified',
      message: `${vaultHost} can be read: ${count} in spec.certificates can be delivered`,
    }
  }
  if (state.kind === 'ready') {
    const { keyId, authority } = state.signer
    return {
      status: 'True',
      reason: 'Verified',
      message:
        `${keyId} signed a test (${authority.algorithm.name}) that verifies with the CA certificate ` +
        `"${nameText(authority.certificate.subject)}", valid until ` +
        kubeTime(authority.certificate.notAfter),
    }
  }
  if (state.kind === 'suspended') {
    const message = 'spec.suspend is true: requests wait until it is false'
    return { status: 'False', reason: 'IssuerSuspended', message }
  }
  return { status: 'False', reason: state.code, message: state.message }
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
