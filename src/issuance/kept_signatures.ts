import type { Log } from '../log.ts'
import type { IssuedCertificate } from '../pki/seal.ts'
import type { CertificateDecision } from '../pki/template.ts'
import type { Signer } from './issuer_state.ts'
import { type NamedRequest, signDecision } from './sign.ts'

interface Kept {
  readonly signer: Signer
  readonly certificate: IssuedCertificate
  /** Written and accepted; the watch has not shown it yet. */
  published: boolean
}

/** Signatures by the UID of their request, so that a failed write is repeated and a signature is not. */
export class KeptSignatures {
  readonly #kept = new Map<string, Kept>()
  readonly #assertLeader: () => void
  readonly #log: Log

  /** @param assertLeader throws `LeaseLost` when another replica may be at work */
  constructor(assertLeader: () => void, log: Log) {
    this.#assertLeader = assertLeader
    this.#log = log
  }

  /**
   * The certificate of a decision: the one that was signed before, or a new one. A signature by an
   * issuer that has changed since is of another decision.
   */
  async certificateFor(
    request: NamedRequest,
    decision: CertificateDecision,
    signer: Signer,
    signal: AbortSignal,
  ): Promise<IssuedCertificate> {
    const kept = this.#kept.get(request.uid)
    if (kept?.signer === signer) return kept.certificate
    this.#assertLeader()
    const certificate = await signDecision(request, decision, signer, this.#log, signal)
    this.#kept.set(request.uid, { signer, certificate, published: false })
    return certificate
  }

  published(uid: string): void {
    const kept = this.#kept.get(uid)
    if (kept !== undefined) kept.published = true
  }

  isPublished(uid: string): boolean {
    return this.#kept.get(uid)?.published ?? false
  }

  forget(uid: string): void {
    this.#kept.delete(uid)
  }
}
