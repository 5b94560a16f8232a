import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Random } from '../random.ts'
import type { Behaviour } from './behaviour.ts'
import { publish } from './certificate_versions.ts'
import { nextOfDeleted, settleDeleted } from './deletion.ts'
import { generateKeySync, keyShape } from './key_kinds.ts'
import { newVersionId } from './objects.ts'
import { isSelf } from './policy_request.ts'
import type { CertificatePolicy, Issuance, VaultState } from './state.ts'
import { certificateRequest, selfSignedCertificate, validityAt } from './x509.ts'

/** What happens to a vault's objects as time goes by, done when somebody looks. */
export class Lifecycle {
  readonly #behaviour: Behaviour
  readonly #random: Random
  readonly #nextDue = new WeakMap<VaultState, number>()

  constructor(behaviour: Behaviour, random: Random) {
    this.#behaviour = behaviour
    this.#random = random
  }

  /** Does what was due until `nowMs`; true when anything changed. */
  settle(vault: VaultState, nowMs: number): boolean {
    if (nowMs < (this.#nextDue.get(vault) ?? 0)) return false
    const changes = [
      ...[...vault.issuance.keys()].map((id) => this.#settleCertificate(vault, id, nowMs)),
      settleDeleted(vault.keys, nowMs),
      settleDeleted(vault.certificates, nowMs),
      settleDeleted(vault.secrets, nowMs),
    ]
    for (const id of vault.issuance.keys()) {
      const { live, deleted } = vault.certificates
      if (!live.has(id) && !deleted.has(id)) vault.issuance.delete(id)
    }
    this.#nextDue.set(vault, this.#earliest(vault))
    return changes.includes(true)
  }

  /** To be called after each change of a vault. */
  changed(vault: VaultState): void {
    this.#nextDue.delete(vault)
  }

  #settleCertificate(vault: VaultState, id: string, nowMs: number): boolean {
    const issuance = vault.issuance.get(id)
    if (issuance === undefined || !vault.certificates.live.has(id)) return false
    const finished = this.#finish(vault, id, issuance, nowMs)
    const due = renewalDue(vault, id, issuance)
    if (due > nowMs) return finished
    this.#renew(vault, id, issuance, due, nowMs)
    this.#finish(vault, id, issuance, nowMs)
    return true
  }

  #finish(vault: VaultState, id: string, issuance: Issuance, nowMs: number): boolean {
    const { pending, policy } = issuance
    const name = vault.certificates.live.get(id)?.name ?? id
    if (pending?.status !== 'inProgress') return false
    const { readyAt } = pending
    if (readyAt === undefined || readyAt > nowMs) return false
    if (pending.failure) {
      pending.status = 'failed'
      return true
    }
    if (pending.cancellationRequested && this.#behaviour.settings.honourCancellation) {
      pending.status = 'cancelled'
      return true
    }
    const key = createPrivateKey({ key: pending.jwk, format: 'jwk' })
    const validity = validityAt(readyAt, policy.x509_props.validity_months)
    const leaf = new X509Certificate(selfSignedCertificate(policy, key, validity, this.#random))
    const { jwk, enabled, tags, preserveCertOrder } = pending
    publish(
      vault,
      {
        name,
        jwk,
        leaf,
        chain: [leaf],
        policy,
        enabled,
        ...(tags && { tags }),
        ...(preserveCertOrder !== undefined && { preserveCertOrder }),
      },
      readyAt,
      this.#random,
    )
    pending.status = 'completed'
    // Recorded: a cancellation that came too late is forgotten.
    pending.cancellationRequested = false
    return true
  }

  /**
   * Of several renewals that fell due while nobody looked only the last one is made, with the times
   * it would have had.
   */
  #renew(vault: VaultState, id: string, issuance: Issuance, due: number, nowMs: number): void {
    const { policy } = issuance
    const { creationMs, creationFailure } = this.#behaviour.settings
    const months = policy.x509_props.validity_months
    let at = due
    for (;;) {
      const { from, to } = validityAt(at + creationMs, months)
      const next = renewalTime(policy, from, to)
      if (next <= at || next > nowMs) break
      at = next
    }
    const { kty, key_size: size, crv, reuse_key: reuse } = policy.key_props
    const current = vault.keys.live.get(id)?.versions.at(-1)
    const latest = vault.certificates.live.get(id)?.versions.at(-1)
    const jwk = reuse && current ? current.jwk : generateKeySync(keyShape(kty, size, crv))
    const key = createPrivateKey({ key: jwk, format: 'jwk' })
    issuance.pending = {
      requestId: newVersionId(this.#random),
      issuer: policy.issuer.name,
      csr: Buffer.from(certificateRequest(policy, key)).toString('base64'),
      jwk,
      enabled: true,
      ...(latest?.tags && { tags: latest.tags }),
      startedAt: at,
      readyAt: at + creationMs,
      status: 'inProgress',
      cancellationRequested: false,
      ...(creationFailure && { failure: creationFailure }),
    }
  }

  #earliest(vault: VaultState): number {
    const times = [
      nextOfDeleted(vault.keys),
      nextOfDeleted(vault.certificates),
      nextOfDeleted(vault.secrets),
    ]
    for (const [id, issuance] of vault.issuance) {
      const { pending } = issuance
      if (pending?.status === 'inProgress') times.push(pending.readyAt ?? Number.POSITIVE_INFINITY)
      times.push(renewalDue(vault, id, issuance))
    }
    return Math.min(...times)
  }
}

const day = 86_400_000

/** When the next version is to be asked for; never while one is, or without an issuer to ask. */
function renewalDue(vault: VaultState, id: string, { policy, pending }: Issuance): number {
  const latest = vault.certificates.live.get(id)?.versions.at(-1)
  const { enabled = false, nbf = 0, exp = 0 } = latest?.attributes ?? {}
  if (latest?.cer === undefined || !enabled || !isSelf(policy.issuer.name)) {
    return Number.POSITIVE_INFINITY
  }
  if (pending?.status === 'inProgress') return Number.POSITIVE_INFINITY
  const due = renewalTime(policy, nbf * 1000, exp * 1000)
  // Believed: a renewal that failed is tried again a day later.
  const gaveUp = pending?.status === 'failed' || pending?.status === 'cancelled'
  return gaveUp ? Math.max(due, pending.startedAt + day) : due
}

function renewalTime(policy: CertificatePolicy, from: number, to: number): number {
  const renewal = policy.lifetime_actions.find(({ action }) => action.action_type === 'AutoRenew')
  const { lifetime_percentage: percentage, days_before_expiry: days } = renewal?.trigger ?? {}
  if (percentage !== undefined) return from + ((to - from) * percentage) / 100
  return days === undefined ? Number.POSITIVE_INFINITY : to - days * day
}
