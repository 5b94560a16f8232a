import { type CertificateRequest, isAnswered } from '../api/certificate_request.ts'
import { parseCsr } from '../pki/csr.ts'
import { checkPolicy } from '../pki/policy_check.ts'
import type { Rule } from '../pki/refusal.ts'
import { decide as decideCertificate } from '../pki/template.ts'
import type { Claim } from './claim.ts'
import { type DeliveryFacts, decideDelivery } from './decide_delivery.ts'
import type { IssuerState, Signer } from './issuer_state.ts'
import { deny, fail, ignore, type Outcome, wait } from './outcome.ts'

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
  if (isAnswered(request)) return ignore('the request has its answer')
  if (claim.form === 'ungrouped' && !snapshot.answersUngrouped) {
    return ignore('cert-manager has an issuer of this name, or ours does not answerUngrouped')
  }
  if (request.denied) {
    // cert-manager's own controllers answer denied requests that they take for theirs.
    return claim.form === 'ungrouped' ? ignore('cert-manager answers it') : deny(request.denied)
  }
  if (request.invalid) return ignore('the request was declared invalid')
  if (!request.approved) return ignore('the request is not approved')
  if (issuer === undefined) {
    return wait(
      'IssuerNotFound',
      `${describeIssuer(claim)} not found; waiting for it to be created`,
    )
  }
  if (issuer.kind === 'unknown') return ignore('the issuer is about to be looked at')
  if (issuer.kind === 'suspended') {
    return wait('IssuerSuspended', `${describeIssuer(claim)} is suspended (spec.suspend)`)
  }
  if (issuer.kind === 'not-ready') {
    return wait('IssuerNotReady', `${describeIssuer(claim)} is not ready: ${issuer.message}`)
  }
  return issuer.mode === 'sign'
    ? decideSigning(snapshot, issuer.signer)
    : decideDelivery(snapshot, issuer.deliverer)
}

function decideSigning(snapshot: Snapshot, signer: Signer): Outcome {
  const { request } = snapshot
  const { isCA, usages, durationMs, namespace } = request
  const { authority, policy, urls } = signer
  const csr = parseCsr(request.csrPem)
  if (!csr.ok) return fail(request, 'RequestInvalid', csr.refusal.message)
  const asker = { namespace, namespaceLabels: snapshot.namespaceLabels, isCA, usages }
  const allowed = checkPolicy(csr.value, asker, policy)
  if (!allowed.ok) return fail(request, 'PolicyRefused', allowed.refusal.message)
  const decision = decideCertificate({
    csr: csr.value,
    request: { isCA, usages, durationMs },
    limits: policy.limits,
    authority,
    urls,
    now: snapshot.now,
    serialBytes: snapshot.serialBytes,
  })
  if (decision.ok) return { kind: 'sign', decision: decision.value, signer }
  const { rule, message } = decision.refusal
  return authorityRules.has(rule)
    ? wait('IssuerNotReady', message)
    : fail(request, 'PolicyRefused', message)
}

/** Refusals that say something of the CA and nothing of the request. */
const authorityRules: ReadonlySet<Rule> = new Set<Rule>(['ca-expires-too-soon', 'ca-expired'])

function describeIssuer(claim: Claim): string {
  const [kind, ...path] = claim.issuer.split('/')
  return `${kind} "${path.join('/')}"`
}
