import type { CertificateRequest, IssuedRoots } from '../api/certificate_request.ts'
import { claimOf } from './claim.ts'

/** An answered request of a Certificate: what is known of the certificate in its Secret. */
export interface Issuance {
  /** Of the request. */
  readonly uid: string
  readonly namespace: string
  readonly name: string
  /** See `issuerKey`. */
  readonly issuer: string
  readonly roots: IssuedRoots
}

interface Issued {
  readonly issuance: Issuance
  readonly certificateUid: string
  readonly revision: string
}

/**
 * What was handed out, by Certificate and revision, as long as cert-manager keeps the requests: it
 * always keeps the one of the present revision. Secrets need not be read for it.
 */
export class Issuances {
  readonly #byRequest = new Map<string, Issued>()
  readonly #byRevision = new Map<string, Issuance>()

  /** @returns the UID of the Certificate of which more, or less, is known than before */
  observe(type: 'added' | 'updated' | 'deleted', request: CertificateRequest): string | undefined {
    const known = this.#byRequest.get(request.uid)
    const issued = type === 'deleted' ? undefined : issuedBy(request)
    if (issued === undefined) {
      if (known === undefined) return undefined
      this.#byRequest.delete(request.uid)
      const key = revisionKey(known.certificateUid, known.revision)
      if (this.#byRevision.get(key)?.uid === request.uid) this.#byRevision.delete(key)
      return known.certificateUid
    }
    // An answer is never changed.
    if (known !== undefined) return undefined
    this.#byRequest.set(request.uid, issued)
    this.#byRevision.set(revisionKey(issued.certificateUid, issued.revision), issued.issuance)
    return issued.certificateUid
  }

  get(certificateUid: string, revision: number): Issuance | undefined {
    return this.#byRevision.get(revisionKey(certificateUid, String(revision)))
  }

  /** Whether some Certificate of the issuer was given several roots, others than `digest`. */
  hasBundlesBeside(issuer: string, digest: string): boolean {
    for (const { issuance } of this.#byRequest.values()) {
      const { roots } = issuance
      if (issuance.issuer === issuer && roots.count > 1 && roots.digest !== digest) return true
    }
    return false
  }
}

function issuedBy(request: CertificateRequest): Issued | undefined {
  const { uid, namespace, name, certificate, roots, claims } = request
  const issuer = claimOf(request)?.issuer
  if (!request.hasCertificate || !certificate || !roots || !claims.revision || !issuer) {
    return undefined
  }
  const issuance = { uid, namespace, name, issuer, roots }
  return { issuance, certificateUid: certificate.uid, revision: claims.revision }
}

function revisionKey(certificateUid: string, revision: string): string {
  return `${certificateUid} ${revision}`
}
