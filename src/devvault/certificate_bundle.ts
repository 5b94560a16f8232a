import { hash } from 'node:crypto'
import { invariant } from '../error.ts'
import { objectNotFound } from './errors.ts'
import type { Json } from './http.ts'
import { showAttributes, showListedAttributes, showTags } from './objects.ts'
import type { Call } from './operation.ts'
import type { CertificateVersion, Issuance, PendingOperation } from './state.ts'

/** What is shown of certificates, their policies and the operations that make them (recorded). */

/** Policy and pending operation are shown only without a version in the path. */
export function showCertificate(
  call: Call,
  name: string,
  certificate: CertificateVersion,
  shown: { readonly latest: boolean },
): Json {
  const { version, cer, preserveCertOrder } = certificate
  const issuance = issuanceOf(call, name)
  return {
    id: `${call.origin}/certificates/${name}/${version}`,
    ...(cer !== undefined && {
      kid: `${call.origin}/keys/${name}/${version}`,
      sid: `${call.origin}/secrets/${name}/${version}`,
      x5t: thumbprint(cer),
      cer,
    }),
    attributes: showAttributes(certificate.attributes),
    ...showTags(certificate.tags),
    ...(shown.latest && { policy: showPolicy(call, name, issuance) }),
    ...(shown.latest &&
      issuance.pending && { pending: { id: `${call.origin}/certificates/${name}/pending` } }),
    ...(preserveCertOrder !== undefined && { preserveCertOrder }),
  }
}

export function showPolicy(call: Call, name: string, issuance: Issuance): Json {
  const { policy, created, updated } = issuance
  return {
    id: `${call.origin}/certificates/${name}/policy`,
    ...policy,
    attributes: { enabled: true, created, updated },
  }
}

/** The empty subject is recorded: lists never tell it. */
export function showListedCertificate(id: string, certificate: CertificateVersion): Json {
  const { cer, attributes, tags } = certificate
  return {
    id,
    ...(cer !== undefined && { x5t: thumbprint(cer) }),
    attributes: showListedAttributes(attributes),
    ...showTags(tags),
    subject: '',
  }
}

/** A failed operation still says "in progress" in its details: only `status` counts (recorded). */
export function showPending(call: Call, name: string, pending: PendingOperation): Json {
  const { status, failure } = pending
  const waitsForMerge = pending.readyAt === undefined
  return {
    id: `${call.origin}/certificates/${name}/pending`,
    issuer: { name: pending.issuer },
    csr: pending.csr,
    cancellation_requested: pending.cancellationRequested,
    status,
    ...(status !== 'completed' && { status_details: waitsForMerge ? toMerge : inProgress }),
    ...(status === 'failed' && failure && { error: failure }),
    ...(status === 'completed' && { target: `${call.origin}/certificates/${name}` }),
    request_id: pending.requestId,
  }
}

const toMerge = 'Pending certificate created. Please Perform Merge to complete the request.'
const inProgress =
  'Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. Please check again later.'

export function issuanceOf(call: Call, name: string): Issuance {
  const issuance = call.vault.issuance.get(name.toLowerCase())
  if (issuance === undefined) {
    invariant(!call.vault.certificates.live.has(name.toLowerCase()), `${name} has no policy`)
    throw objectNotFound('certificate', name)
  }
  return issuance
}

function thumbprint(cer: string): string {
  return hash('sha1', Buffer.from(cer, 'base64'), 'base64url')
}
