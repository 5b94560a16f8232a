import { isClosed, type KubernetesCsr } from '../api/kubernetes_csr.ts'
import type { ErrorCode } from '../error.ts'
import { parseCsr } from '../pki/csr.ts'
import { cappedDurationMs, checkKubernetesCsr } from '../pki/kubernetes_csr_policy.ts'
import { decideSigning, readyOrWait } from './decide_signing.ts'
import type { IssuerState, Signer } from './issuer_state.ts'
import { ignore, type Outcome, wait } from './outcome.ts'

/** All that a decision on a CertificateSigningRequest rests on, at one moment. */
export interface CsrSnapshot {
  readonly request: KubernetesCsr
  /** See `issuerKey`. */
  readonly issuerKey: string
  /** `undefined`: no such issuer. */
  readonly issuer: IssuerState | undefined
  /** What the controller may not do of what it takes; `undefined` when it may do all. */
  readonly missingRights: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Fresh random octets for the serial number. */
  readonly serialBytes: Uint8Array
}

export type CsrOutcome = Extract<Outcome, { kind: 'ignore' | 'wait' | 'sign' | 'fail' }>

/** Decides a request by what Kubernetes expects of a signer, first match wins. Pure. */
export function decideCsr(snapshot: CsrSnapshot): CsrOutcome {
  const { request, missingRights } = snapshot
  if (isClosed(request)) return ignore('Answered')
  if (request.denied) return ignore('Denied')
  if (!request.approved) return ignore('NotApproved')
  // What cannot be written is not signed.
  if (missingRights !== undefined) return wait('KubeForbidden', missingRights)
  const ready = readyOrWait(snapshot.issuerKey, snapshot.issuer)
  if (ready.kind !== 'ready') return ready
  return ready.mode === 'sign' ? decideOpen(snapshot, ready.signer) : ignore('NotOurs')
}

function decideOpen({ request, now, serialBytes }: CsrSnapshot, signer: Signer): CsrOutcome {
  const rules = signer.kubernetesCsr
  if (rules === undefined) return ignore('NotOurs')
  const { usages } = request
  const csr = parseCsr(request.csrPem)
  if (!csr.ok) return fail('RequestInvalid', csr.refusal.message)
  const allowed = checkKubernetesCsr(csr.value, usages, rules)
  if (!allowed.ok) return fail('PolicyRefused', allowed.refusal.message)
  const outcome = decideSigning({
    csr: csr.value,
    asker: { namespace: '', namespaceLabels: {}, isCA: false, usages },
    durationMs: cappedDurationMs(request.durationMs, rules),
    policy: rules.policy,
    signer,
    now,
    serialBytes,
  })
  return outcome.kind === 'refuse' ? fail('PolicyRefused', outcome.message) : outcome
}

function fail(code: ErrorCode, message: string): CsrOutcome {
  return { kind: 'fail', code, message: `${message}; make a new CertificateSigningRequest` }
}
