import { type CertificateRequest, type IssuerRef, isUngrouped } from '../api/certificate_request.ts'
import { issuerKey } from '../api/issuer.ts'
import { group } from '../api/names.ts'

/** How a request names one of our issuers. */
export interface Claim {
  /** See `issuerKey`. */
  readonly issuer: string
  /**
   * `grouped`: the reference has our group; its status is ours to write.
   * `ungrouped`: cert-manager takes the reference for its own and writes Pending on it; we write
   * the final answer and nothing else, since any other write starts a fight with its controllers.
   */
  readonly form: 'grouped' | 'ungrouped'
}

/** The issuer that a request means, if it can be one of ours. */
export function claimOf(
  request: Pick<CertificateRequest, 'issuerRef' | 'namespace'>,
): Claim | undefined {
  const { issuerRef, namespace } = request
  if (issuerRef.group === group) {
    if (issuerRef.kind !== 'ClusterIssuer' && issuerRef.kind !== 'Issuer') return undefined
    const { kind, name } = issuerRef
    return { issuer: issuerKey({ kind, namespace, name }), form: 'grouped' }
  }
  return claimable(issuerRef)
    ? {
        issuer: issuerKey({ kind: 'ClusterIssuer', namespace: '', name: issuerRef.name }),
        form: 'ungrouped',
      }
    : undefined
}

function claimable(ref: IssuerRef): boolean {
  return isUngrouped(ref) && ref.kind === 'ClusterIssuer'
}
