import type { CertificateRequest } from '../api/certificate_request.ts'
import type { Claim } from './claim.ts'

export interface OpenRequest {
  /** As last seen. */
  request: CertificateRequest
  readonly claim: Claim
  /** The Key Vault certificate that has to change, if only that helps; in lower case. */
  waitsFor: string | undefined
}

/** The requests without an answer, as last seen, and who is to be woken by what. */
export class OpenRequests {
  readonly #byUid = new Map<string, OpenRequest>()
  readonly #uidsByIssuer = new Map<string, Set<string>>()

  get size(): number {
    return this.#byUid.size
  }

  uids(): Iterable<string> {
    return this.#byUid.keys()
  }

  get(uid: string): OpenRequest | undefined {
    return this.#byUid.get(uid)
  }

  /** @returns whether there is something to decide that was not known before */
  put(request: CertificateRequest, claim: Claim): boolean {
    const { uid } = request
    const known = this.#byUid.get(uid)
    if (known !== undefined) {
      // A new word of Pending, ours or cert-manager's, decides nothing and cuts no back-off short.
      const isNews = !sameVerdict(known.request, request)
      known.request = request
      return isNews
    }
    this.#byUid.set(uid, { request, claim, waitsFor: undefined })
    const uids = this.#uidsByIssuer.get(claim.issuer) ?? new Set()
    this.#uidsByIssuer.set(claim.issuer, uids.add(uid))
    return true
  }

  delete(uid: string): void {
    const issuer = this.#byUid.get(uid)?.claim.issuer
    if (issuer === undefined) return
    this.#byUid.delete(uid)
    const uids = this.#uidsByIssuer.get(issuer)
    uids?.delete(uid)
    if (uids?.size === 0) this.#uidsByIssuer.delete(issuer)
  }

  /** UIDs of those of an issuer; without those that wait for another Key Vault certificate. */
  *ofIssuer(issuer: string, name?: string): Generator<string> {
    for (const uid of this.#uidsByIssuer.get(issuer) ?? []) {
      const waitsFor = this.#byUid.get(uid)?.waitsFor
      if (name === undefined || waitsFor === undefined || waitsFor === name.toLowerCase()) yield uid
    }
  }

  /** UIDs of those that a Certificate controls. */
  *ofCertificate(certificateUid: string): Generator<string> {
    for (const [uid, { request }] of this.#byUid) {
      if (request.certificate?.uid === certificateUid) yield uid
    }
  }
}

/** Whether approvers say the same of both; the spec of a request cannot change. */
function sameVerdict(one: CertificateRequest, other: CertificateRequest): boolean {
  return (['approved', 'denied', 'invalid'] as const).every(
    (verdict) => (one[verdict] === undefined) === (other[verdict] === undefined),
  )
}
