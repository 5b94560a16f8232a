import { IssuerError } from '../error.ts'
import type { Log } from '../log.ts'
import { serialText } from '../pki/names.ts'
import { type IssuedCertificate, seal } from '../pki/seal.ts'
import { encodeTbs } from '../pki/tbs.ts'
import type { CertificateDecision } from '../pki/template.ts'
import type { Signer } from './issuer_state.ts'

/** What a request is called in the log. */
export interface NamedRequest {
  readonly uid: string
  /** Absent for a kind without namespaces. */
  readonly namespace?: string
  readonly name: string
}

/**
 * Turns a decision into a certificate with one call to Key Vault.
 *
 * The intent is logged before the call: should the process die between signature and status write,
 * the record says which serial may exist that was never published.
 *
 * @throws IssuerError of the vault, or `VaultAnswerInvalid` when the signature does not fit
 */
export async function signDecision(
  request: NamedRequest,
  decision: CertificateDecision,
  signer: Signer,
  log: Log,
  signal: AbortSignal,
): Promise<IssuedCertificate> {
  const tbs = encodeTbs(decision)
  log.info('signing', {
    uid: request.uid,
    namespace: request.namespace,
    request: request.name,
    serial: serialText(decision.serialNumber),
    tbsDigest: Buffer.from(tbs.digest).toString('hex'),
    key: signer.keyId,
    algorithm: tbs.algorithm.name,
  })
  const signature = await signer.vault.sign(
    { key: signer.key, algorithm: tbs.algorithm.name, digest: tbs.digest },
    signal,
  )
  const issued = seal(tbs, signature)
  if (!issued.ok) {
    throw new IssuerError(
      'VaultAnswerInvalid',
      `the certificate signed by ${signer.keyId} was not published: ${issued.refusal.message}`,
    )
  }
  return issued.value
}
