import { IssuerError } from '../error.ts'
import { isObject, objectAt, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Authority } from '../pki/authority.ts'
import { parsePemCertificates } from '../pki/certificate.ts'
import { isIssuedBy } from '../pki/chain.ts'
import type { Issuance } from './issuances.ts'
import { certificateRequestPath } from './request_status.ts'

/**
 * Whether a CA signed what a request was answered with, by its key and not by its name alone: two
 * roots of a rollover often share one. `undefined` when the request is gone.
 */
export async function readIsSignedBy(
  kube: KubeClient,
  issuance: Issuance,
  authority: Authority,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  try {
    const path = certificateRequestPath(issuance)
    const request = await kube.request({ method: 'GET', path }, signal)
    if (!isObject(request)) return undefined
    if (textAt(objectAt(request, 'metadata'), 'uid') !== issuance.uid) return undefined
    const encoded = textAt(objectAt(request, 'status'), 'certificate') ?? ''
    const chain = parsePemCertificates(Buffer.from(encoded, 'base64').toString('latin1'))
    const leaf = chain.ok ? chain.value[0] : undefined
    return leaf !== undefined && isIssuedBy(leaf, authority.certificate)
  } catch (error) {
    if (error instanceof IssuerError && error.code === 'KubeNotFound') return undefined
    throw error
  }
}
