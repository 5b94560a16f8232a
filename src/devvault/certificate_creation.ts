import { createPrivateKey, type JsonWebKey } from 'node:crypto'
import { issuanceOf, showCertificate, showPending } from './certificate_bundle.ts'
import { mismatch } from './certificate_import.ts'
import {
  dropPlaceholder,
  parseCertificate,
  publish,
  refuseForeignName,
  refuseWhilePending,
} from './certificate_versions.ts'
import { badParameter, vaultError } from './errors.ts'
import type { Answer } from './http.ts'
import { generateKey, keyShape } from './key_kinds.ts'
import { addVersion, newAttributes, newVersionId, parseTags, seconds } from './objects.ts'
import { type Call, type Operation, offer } from './operation.ts'
import { isSelf, isUnknown, policyFrom } from './policy_request.ts'
import type { CertificatePolicy, CertificateVersion, PendingOperation } from './state.ts'
import { certificateRequest, validityAt } from './x509.ts'

/**
 * The long-running creation. Recorded: every answer of create, poll, cancel, delete and merge, the
 * bundle while the first version is pending, its version id that is not the final one, and that a
 * merge looks at the public key only. Documented: 409 while pending, 404 for another request id, 403
 * for a merge while an issuer is at work, 400 for a late cancellation. The actions are those of the
 * REST reference's permissions.
 */
export const creationOperations: readonly Operation[] = [
  offer(
    'POST certificates/{name}/create',
    'certificates/create',
    'certificates/create/action',
    create,
  ),
  offer('GET certificates/{name}/pending', 'certificates/pending', 'certificates/read', poll),
  offer(
    'PATCH certificates/{name}/pending',
    'certificates/cancel',
    'certificates/update/action',
    cancel,
  ),
  offer(
    'DELETE certificates/{name}/pending',
    'certificates/forget',
    'certificates/update/action',
    forget,
  ),
  offer(
    'POST certificates/{name}/pending/merge',
    'certificates/merge',
    'certificates/create/action',
    merge,
  ),
]

async function create(call: Call): Promise<Answer> {
  const { body, vault, name, nowMs } = call
  const { preserveCertOrder } = body
  if (preserveCertOrder !== undefined && typeof preserveCertOrder !== 'boolean') {
    throw badParameter('Property preserveCertOrder has invalid value')
  }
  const id = name.toLowerCase()
  refuseForeignName(vault, name)
  refuseWhilePending(vault, name)
  const before = vault.issuance.get(id)
  // Believed: a request without a policy goes by the one that is there.
  const policy = body.policy === undefined && before ? before.policy : policyFrom(body.policy)
  const issuer = policy.issuer.name
  if (!isSelf(issuer) && !isUnknown(issuer)) {
    throw badParameter(`Property policy.issuer.name has invalid value: no issuer ${issuer}`)
  }
  const { enabled } = newAttributes(body, nowMs)
  const tags = parseTags(body)
  const jwk = await keyFor(call, policy)
  // Another request may have come first while the key was made.
  refuseForeignName(vault, name)
  refuseWhilePending(vault, name)

  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  const { creationMs, creationFailure } = call.behaviour
  const pending: PendingOperation = {
    requestId: newVersionId(call.random),
    issuer,
    csr: Buffer.from(certificateRequest(policy, key)).toString('base64'),
    jwk,
    enabled,
    ...tags,
    ...(preserveCertOrder !== undefined && { preserveCertOrder }),
    startedAt: nowMs,
    ...(isSelf(issuer) && { readyAt: nowMs + creationMs }),
    ...(isSelf(issuer) && creationFailure && { failure: creationFailure }),
    status: 'inProgress',
    cancellationRequested: false,
  }
  const now = seconds(nowMs)
  vault.issuance.set(id, { policy, created: before?.created ?? now, updated: now, pending })
  if (!vault.certificates.live.has(id)) {
    addVersion(vault.certificates, 'certificate', name, placeholder(call, policy))
  }
  const nameThere = vault.certificates.live.get(id)?.name ?? name
  const location = `${call.origin}/certificates/${nameThere}/pending?api-version=${call.apiVersion}&request_id=${pending.requestId}`
  return {
    status: 202,
    headers: { Location: location, 'Retry-After': '10' },
    body: showPending(call, nameThere, pending),
  }
}

function poll(call: Call): Answer {
  const { name, pending } = pendingOf(call)
  return {
    status: 200,
    ...(pending.status === 'inProgress' && { headers: { 'Retry-After': '10' } }),
    body: showPending(call, name, pending),
  }
}

function cancel(call: Call): Answer {
  const { name, pending } = pendingOf(call)
  if (typeof call.body.cancellation_requested !== 'boolean') {
    throw badParameter('Property cancellation_requested has invalid value')
  }
  if (pending.status !== 'inProgress') {
    throw badParameter(`The pending certificate is not in progress: ${pending.status}`)
  }
  pending.cancellationRequested = call.body.cancellation_requested
  return { status: 200, body: showPending(call, name, pending) }
}

/** Believed: with the only version still pending, nothing of the certificate is left. */
function forget(call: Call): Answer {
  const { name, pending } = pendingOf(call)
  const body = showPending(call, name, pending)
  dropPlaceholder(call.vault, name)
  const id = name.toLowerCase()
  if (call.vault.certificates.live.has(id)) delete issuanceOf(call, name).pending
  else call.vault.issuance.delete(id)
  return { status: 200, body }
}

function merge(call: Call): Answer {
  const { name, pending } = pendingOf(call)
  if (pending.status === 'completed') throw pendingNotFound(call.name)
  if (pending.status === 'inProgress' && !isUnknown(pending.issuer)) {
    throw vaultError(
      403,
      'Forbidden',
      `Merge is forbidden on pending object created with issuer : ${pending.issuer} while it is in progess.`,
    )
  }
  const chain = parseX5c(call.body.x5c)
  const key = createPrivateKey({ key: pending.jwk, format: 'jwk' })
  const leaf = chain.find((certificate) => certificate.checkPrivateKey(key))
  if (leaf === undefined) throw mismatch()
  const tags = call.body.tags === undefined ? pending.tags : parseTags(call.body).tags
  const { policy } = issuanceOf(call, name)
  const { jwk, preserveCertOrder } = pending
  const { enabled } = newAttributes({ attributes: { enabled: pending.enabled } }, call.nowMs)
  const wanted = newAttributes(call.body, call.nowMs).enabled
  const certificate = publish(
    call.vault,
    {
      name,
      jwk,
      leaf,
      chain,
      policy,
      enabled: enabled && wanted,
      ...(tags && { tags }),
      ...(preserveCertOrder !== undefined && { preserveCertOrder }),
    },
    call.nowMs,
    call.random,
  )
  pending.status = 'completed'
  return {
    status: 201,
    headers: {
      Location: `${call.origin}/certificates/${name}?api-version=${call.apiVersion}`,
    },
    body: showCertificate(call, name, certificate, { latest: true }),
  }
}

function parseX5c(value: unknown) {
  if (!Array.isArray(value) || value.length === 0) {
    throw badParameter('Property x5c has invalid value\r\nX5C must has at least one valid item')
  }
  return value.map((item: unknown) => {
    const certificate =
      typeof item === 'string' ? parseCertificate(Buffer.from(item, 'base64')) : undefined
    if (certificate === undefined) throw badParameter('Property x5c has invalid value')
    return certificate
  })
}

/** A new key, or that of the version before where the policy says so. */
async function keyFor(call: Call, policy: CertificatePolicy): Promise<JsonWebKey> {
  const { kty, key_size: size, crv, reuse_key: reuse } = policy.key_props
  const current = call.vault.keys.live.get(call.name.toLowerCase())?.versions.at(-1)
  if (reuse && current?.kty === kty) return current.jwk
  return await generateKey(keyShape(kty, size, crv))
}

/** Recorded: dates as if it had been issued at once, disabled, and a version of its own. */
function placeholder(call: Call, policy: CertificatePolicy): CertificateVersion {
  const { from, to } = validityAt(call.nowMs, policy.x509_props.validity_months)
  const now = seconds(call.nowMs)
  return {
    version: newVersionId(call.random),
    attributes: {
      enabled: false,
      nbf: seconds(from),
      exp: seconds(to),
      created: now,
      updated: now,
    },
  }
}

function pendingOf(call: Call): { readonly name: string; readonly pending: PendingOperation } {
  const id = call.name.toLowerCase()
  const entry = call.vault.certificates.live.get(id)
  const pending = call.vault.issuance.get(id)?.pending
  const requestId = call.query.get('request_id')
  if (!entry || !pending || (requestId !== null && requestId !== pending.requestId)) {
    throw pendingNotFound(call.name)
  }
  return { name: entry.name, pending }
}

/** Recorded. */
function pendingNotFound(name: string) {
  return vaultError(404, 'PendingCertificateNotFound', `Pending Certificate not found: ${name}`)
}
