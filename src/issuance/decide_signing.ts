import type { CertificateSigningRequest } from '../pki/csr.ts'
import type { Policy } from '../pki/policy.ts'
import { checkPolicy, type PolicyRequest } from '../pki/policy_check.ts'
import type { Rule } from '../pki/refusal.ts'
import { decide as decideCertificate } from '../pki/template.ts'
import type { IssuerState, ReadyState, Signer } from './issuer_state.ts'
import { ignore, type Outcome, wait } from './outcome.ts'

/** What is asked to be signed, by whichever kind of request. */
export interface SigningRequest {
  readonly csr: CertificateSigningRequest
  readonly asker: PolicyRequest
  readonly durationMs: number | undefined
  readonly policy: Policy
  readonly signer: Signer
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Fresh random octets for the serial number. */
  readonly serialBytes: Uint8Array
}

/** Checks a request against a policy and the CA, and fixes every field of the certificate. */
export function decideSigning(
  request: SigningRequest,
):
  | Extract<Outcome, { kind: 'sign' | 'wait' }>
  | { readonly kind: 'refuse'; readonly message: string } {
  const { csr, asker, durationMs, policy, signer, now, serialBytes } = request
  const allowed = checkPolicy(csr, asker, policy)
  if (!allowed.ok) return { kind: 'refuse', message: allowed.refusal.message }
  const decision = decideCertificate({
    csr,
    request: { isCA: asker.isCA, usages: asker.usages, durationMs },
    limits: policy.limits,
    authority: signer.authority,
    urls: signer.urls,
    now,
    serialBytes,
  })
  if (decision.ok) return { kind: 'sign', decision: decision.value, signer }
  const { rule, message } = decision.refusal
  return authorityRules.has(rule) ? wait('IssuerNotReady', message) : { kind: 'refuse', message }
}

/** Refusals that say something of the CA and nothing of the request. */
const authorityRules: ReadonlySet<Rule> = new Set<Rule>(['ca-expires-too-soon', 'ca-expired'])

/** The issuer when it can answer, else what its requests do meanwhile. */
export function readyOrWait(
  key: string,
  issuer: IssuerState | undefined,
): ReadyState | Extract<Outcome, { kind: 'ignore' | 'wait' }> {
  if (issuer === undefined) {
    return wait('IssuerNotFound', `${describeIssuer(key)} not found; waiting for it to be created`)
  }
  if (issuer.kind === 'unknown') return ignore('IssuerNotProbed')
  if (issuer.kind === 'suspended') {
    return wait('IssuerSuspended', `${describeIssuer(key)} is suspended (spec.suspend)`)
  }
  if (issuer.kind === 'not-ready') {
    return wait('IssuerNotReady', `${describeIssuer(key)} is not ready: ${issuer.message}`)
  }
  return issuer
}

function describeIssuer(key: string): string {
  const [kind, ...path] = key.split('/')
  return `${kind} "${path.join('/')}"`
}
