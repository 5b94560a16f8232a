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
import { type PublishedRoot, publishedRoots } from '../api/published_roots.ts'
import { IssuerError } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import type { Authority } from '../pki/authority.ts'
import { expiryNotes, limitNotes } from '../pki/authority_notes.ts'
import { nameText, serialText } from '../pki/names.ts'
import { fingerprint } from '../pki/roots.ts'
import {
  type CertificateStatus,
  certificatesStatus,
  certificatesUsable,
} from './certificates_status.ts'
import type { IssuerState, NextCa, Signer } from './issuer_state.ts'
import { type RolloverProgress, rolloverCondition } from './rollover_status.ts'

/** The status that an issuer is to show. Where no CA was proven, `ca` has no more than its roots. */
export interface IssuerStatus {
  readonly mode?: 'sign' | 'deliver'
  /** Ready first. */
  readonly conditions: readonly [Condition, ...Condition[]]
  readonly ca?: CaStatus | Pick<CaStatus, 'roots'>
  readonly certificates?: readonly CertificateStatus[]
}

export interface CaStatus {
  readonly subject: string
  readonly serial: string
  readonly notBefore: string
  readonly notAfter: string
  readonly keyId: string
  readonly algorithm: string
  /** What goes out with each certificate. It outlives a restart: the order must never change. */
  readonly roots: readonly PublishedRoot[]
}

/** What is known of the Certificates of an issuer. */
export interface CertificatesKnown {
  /** See `RotationController.behind`. */
  readonly behind: readonly string[]
  readonly rollover: RolloverProgress
}

/**
 * The status to write for `state`, or `undefined` when the issuer shows it already.
 *
 * @param more conditions besides those that follow from `state`
 */
export function statusToWrite(
  issuer: Issuer,
  state: Exclude<IssuerState, { kind: 'unknown' }>,
  now: number,
  known: CertificatesKnown,
  more: readonly ConditionDraft[] = [],
): IssuerStatus | undefined {
  const shown = parseConditions(issuer.status)
  const observedGeneration = issuer.generation
  const ready = { type: 'Ready', observedGeneration, ...readyOf(state) }
  const drafts = [...otherConditions(state, known, now), ...more]
    .map((one) => ({ ...one, observedGeneration }))
    .map((one) => unlessCounting(one, findCondition(shown, one.type)))
  const details = detailsOf(issuer, state, now)
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

/** What was counted for the same spec before a restart stands until it is counted again. */
function unlessCounting(draft: ConditionDraft, shown: Condition | undefined): ConditionDraft {
  const isSameSpec = shown?.observedGeneration === draft.observedGeneration
  return draft.status === 'Unknown' && shown !== undefined && isSameSpec ? shown : draft
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
  { spec, status }: Issuer,
  state: Exclude<IssuerState, { kind: 'unknown' }>,
  now: number,
): Omit<IssuerStatus, 'conditions'> {
  const mode = spec instanceof IssuerError ? {} : { mode: spec.mode.type }
  const roots = publishedRoots(status)
  if (state.kind !== 'ready') return roots.length > 0 ? { ...mode, ca: { roots } } : mode
  return state.mode === 'sign'
    ? { ...mode, ca: caStatus(state.signer, roots, now) }
    : { ...mode, certificates: certificatesStatus(state.offers) }
}

function otherConditions(
  state: Exclude<IssuerState, { kind: 'unknown' }>,
  { behind, rollover }: CertificatesKnown,
  now: number,
): readonly ConditionDraft[] {
  if (state.kind !== 'ready') return []
  if (state.mode === 'deliver') return [certificatesUsable(state.offers, behind)]
  const { signer, next } = state
  return [...caConditions(signer.authority, next, now), rolloverCondition(signer, next, rollover)]
}

/** What a CA that can issue should be watched for. */
function caConditions(
  authority: Authority,
  next: NextCa | undefined,
  now: number,
): readonly ConditionDraft[] {
  const follower = next?.kind === 'proven' && !next.active ? next.ca.authority : undefined
  const notes = (of: (one: Authority) => readonly string[]) => [
    ...of(authority),
    ...(follower ? of(follower).map((note) => `spec.ca.next: ${note}`) : []),
  ]
  const ending = notes((one) => expiryNotes(one, now))
  const limits = notes(limitNotes)
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

function caStatus(
  { authority, keyId, bundle }: Signer,
  shown: readonly PublishedRoot[],
  now: number,
): CaStatus {
  const { certificate, algorithm } = authority
  const since = new Map(shown.map((root) => [root.sha256, root.since]))
  const roots = bundle.roots.map((root) => {
    const sha256 = fingerprint(root.der)
    return {
      sha256,
      subject: nameText(root.subject),
      notAfter: kubeTime(root.notAfter),
      since: since.get(sha256) ?? kubeTime(now),
    }
  })
  return {
    subject: nameText(certificate.subject),
    serial: serialText(certificate.serialNumber),
    notBefore: kubeTime(certificate.notBefore),
    notAfter: kubeTime(certificate.notAfter),
    keyId,
    algorithm: algorithm.name,
    roots,
  }
}
