import { type Certificate, isIssuing } from '../api/certificate.ts'
import type { Issuance } from './issuances.ts'

/** What an issuer would give now. */
export interface Offer {
  /** Of the roots, see `rootsDigest`. */
  readonly rootsDigest: string
  /** Of the key that signs. */
  readonly keyId: string
  /** A next CA was proven, so that every Certificate is to have what is offered now. */
  readonly hasNext: boolean
  /** That next CA signs: whether it signed what a Certificate has cannot be told by the roots. */
  readonly nextSigns: boolean
}

/** How a Certificate stands to what its issuer would give now. */
export type Standing =
  /** It has that. */
  | 'current'
  /** It is to be issued anew; `issuing`: and that is under way. */
  | 'due'
  | 'issuing'
  /** It was to be, and could not; cert-manager has it back off. */
  | 'failed'
  /** The request that it was issued by is gone. */
  | 'unknown'
  /** Who signed it is not known yet. */
  | 'unread'
  /** It was never issued, or takes no part in a rollover. */
  | 'apart'

/**
 * Where a Certificate stands. Pure: made of facts that are there again after a restart.
 *
 * @param issuance of its present revision
 * @param signedBy whether the key of the offer signed that; `undefined` when nobody looked
 */
export function standingOf(
  certificate: Certificate,
  issuance: Issuance | undefined,
  offer: Offer,
  signedBy: boolean | undefined,
): Standing {
  if (certificate.revision === 0) return 'apart'
  if (issuance === undefined) return isIssuing(certificate) ? 'issuing' : 'unknown'
  if (issuance.roots.digest === offer.rootsDigest) {
    if (!offer.nextSigns || signedBy === true) return 'current'
    if (signedBy === undefined) return 'unread'
  } else if (!offer.hasNext && issuance.roots.count === 1) {
    // Of a CA that was exchanged without a rollover: left to its renewal.
    return 'apart'
  }
  if (isIssuing(certificate)) return 'issuing'
  return certificate.lastFailureTime === undefined ? 'due' : 'failed'
}
