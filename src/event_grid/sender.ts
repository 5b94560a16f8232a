import type { IssuerError } from '../error.ts'

/** Whether a request comes from our own Event Grid subscription. */
export type Verdict =
  | { readonly kind: 'known' }
  /** `reason` tells the operator what is wrong, and nothing of the token itself. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It cannot be told now; Event Grid is to come again. */
  | { readonly kind: 'unavailable'; readonly error: IssuerError }

/** Checks what a request has as Bearer token (RFC 6750, 2.1), within some seconds. */
export type CheckSender = (token: string) => Promise<Verdict>

/** `undefined` unless the header has exactly one Bearer token. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(authorization ?? '')?.[1]
}
