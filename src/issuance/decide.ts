import { type CertificateRequest, isAnswered } from '../api/certificate_request.ts'
import { parseCsr } from '../pki/csr.ts'
import type { Claim } from './claim.ts'
import { type DeliveryFacts, decideDelivery } from './decide_delivery.ts'
import { decideSigning, readyOrWait } from './decide_signing.ts'
import type { IssuerState, Signer } from './issuer_state.ts'
import { deny, fail, ignore, type Outcome } from './outcome.ts'

/** All that a decision rests on, at one moment. */
export interface Snapshot {
  readonly request: CertificateRequest
  readonly claim: Claim
  /** `undefined`: no such issuer. */
  readonly issuer: IssuerState | undefined
  /** The issuer has `answerUngrouped` and no cert-manager.io ClusterIssuer has its name. */
  readonly answersUngrouped: boolean
  /** Of the request's namespace; only looked at where the issuer selects by labels. */
  readonly namespaceLabels: Readonly<Record<string, string>>
  /** Of a request that is approved; only looked at where the issuer delivers. */
  readonly delivery: DeliveryFacts | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Fresh random octets for the serial number. */
  readonly serialBytes: Uint8Array
}

/**
 * Decides a request by cert-manager's contract for issuers, first match wins. Pure: the same
 * snapshot gives the same outcome, and nothing is read or written.
 */
export function decide(snapshot: Snapshot): Outcome {
  const { request, claim, issuer } = snapshot
  if (isAnswered(request)) return ignore('Answered')
  if (claim.form === 'ungrouped' && !snapshot.answersUngrouped) {
    return ignore('NotOurs')
  }
  if (request.denied) {
    // cert-manager's own controllers answer denied requests that they take for theirs.
    return claim.form === 'ungrouped' ? ignore('Denied') : deny(request.denied)
  }
  if (request.invalid) return ignore('DeclaredInvalid')
  if (!request.approved) return ignore('NotApproved')
  const ready = readyOrWait(claim.issuer, issuer)
  if (ready.kind !== 'ready') return ready
  return ready.mode === 'sign'
    ? decideRequest(snapshot, ready.signer)
    : decideDelivery(snapshot, ready.deliverer)
}

function decideRequest(snapshot: Snapshot, signer: Signer): Outcome {
  const { request, now, serialBytes } = snapshot
  const { isCA, usages, durationMs, namespace } = request
  const csr = parseCsr(request.csrPem)
  if (!csr.ok) return fail(request, 'RequestInvalid', csr.refusal.message)
  const outcome = decideSigning({
    csr: csr.value,
    asker: { namespace, namespaceLabels: snapshot.namespaceLabels, isCA, usages },
    durationMs,
    policy: signer.policy,
    signer,
    now,
    serialBytes,
  })
  return outcome.kind === 'refuse' ? fail(request, 'PolicyRefused', outcome.message) : outcome
}
