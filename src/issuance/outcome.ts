import type { Certificate } from '../api/certificate.ts'
import type { CertificateRequest } from '../api/certificate_request.ts'
import type { Condition } from '../api/conditions.ts'
import type { RequestReason } from '../api/names.ts'
import type { ErrorCode } from '../error.ts'
import type { CertificateSigningRequest } from '../pki/csr.ts'
import type { CertificateDecision } from '../pki/template.ts'
import type { UsableVersion } from '../vault/version_choice.ts'
import type { Deliverer, Signer } from './issuer_state.ts'

/** What to do with a request. */
export type Outcome =
  /** Nothing, and nothing is written. */
  | { readonly kind: 'ignore'; readonly why: IgnoreReason }
  /** Nothing yet; a change of the request, of its issuer or of Key Vault wakes it. */
  | {
      readonly kind: 'wait'
      readonly code: ErrorCode
      readonly message: string
      /** The Key Vault certificate that has to change, if only that helps. */
      readonly about?: string
    }
  | { readonly kind: 'sign'; readonly decision: CertificateDecision; readonly signer: Signer }
  /** Read a Key Vault certificate that was never looked at, then decide again. */
  | { readonly kind: 'lookUp'; readonly deliverer: Deliverer; readonly name: string }
  | ({ readonly kind: 'swapKey'; readonly certificate: Certificate } & Delivery)
  | ({ readonly kind: 'deliver'; readonly notes: readonly string[] } & Delivery)
  | { readonly kind: 'deny'; readonly message: string }
  | { readonly kind: 'fail'; readonly code: ErrorCode; readonly message: string }

export type IgnoreReason =
  | 'Answered'
  | 'Denied'
  | 'DeclaredInvalid'
  /** cert-manager's, or of an issuer that does not answer such requests. */
  | 'NotOurs'
  | 'NotApproved'
  /** Its issuer is about to be looked at for the first time, or in its new form. */
  | 'IssuerNotProbed'

/** A write of ours that the API server accepted. */
export interface AcceptedAnswer {
  readonly reason: RequestReason
  /** Why it is Pending or Failed. */
  readonly code?: ErrorCode
  /** From the approval to this, the last word on it. */
  readonly waitedMs?: number | undefined
}

/** A version of a Key Vault certificate that fits a request. */
export interface Delivery {
  readonly deliverer: Deliverer
  readonly name: string
  readonly version: UsableVersion
  readonly csr: CertificateSigningRequest
}

export function ignore(why: IgnoreReason): Extract<Outcome, { kind: 'ignore' }> {
  return { kind: 'ignore', why }
}

export function wait(
  code: ErrorCode,
  message: string,
  about?: string,
): Extract<Outcome, { kind: 'wait' }> {
  return { kind: 'wait', code, message, ...(about !== undefined && { about }) }
}

export function deny(denied: Condition): Outcome {
  return { kind: 'deny', message: `denied by an approver: ${denied.message}` }
}

export function fail(request: CertificateRequest, code: ErrorCode, message: string): Outcome {
  return { kind: 'fail', code, message: `${message}; ${wayOn(request)}` }
}

/** What to do after a refusal: a request cannot be changed, only what it was made from. */
export function wayOn({ certificate }: CertificateRequest): string {
  return certificate
    ? `change Certificate "${certificate.name}", then renew it (cmctl renew)`
    : 'make a new CertificateRequest'
}
