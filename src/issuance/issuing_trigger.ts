import { type Certificate, isIssuing, parseCertificate } from '../api/certificate.ts'
import { sameIssuerRef } from '../api/certificate_request.ts'
import { kubeTime } from '../api/conditions.ts'
import { IssuerError } from '../error.ts'
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { certificatePath } from './courier.ts'

/** cert-manager writes the same status, most of all in the first second of a Certificate. */
const conflictRounds = 5

/**
 * Asks cert-manager to issue anew, as `cmctl renew` does: by the condition Issuing on the Certificate
 * as it is now. One that is being issued already, or is another by now, is left alone.
 *
 * @returns whether the condition was written
 */
export async function triggerIssuing(
  kube: KubeClient,
  certificate: Certificate,
  why: { readonly reason: string; readonly message: string },
  now: () => number,
  assertLeader: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace, name } = certificate
  for (let round = 1; ; round++) {
    try {
      const path = certificatePath(namespace, name)
      const object = await kube.request({ method: 'GET', path }, signal)
      const live = parseCertificate(object)
      if (!isObject(object) || live === undefined) return false
      if (live.uid !== certificate.uid || isIssuing(live)) return false
      if (!sameIssuerRef(live.issuerRef, certificate.issuerRef)) return false
      assertLeader()
      const body = withIssuing(object, live, why, now())
      await kube.request(
        { method: 'PUT', path: certificatePath(namespace, name, 'status'), body },
        signal,
      )
      return true
    } catch (error) {
      if (!(error instanceof IssuerError)) throw error
      if (error.code === 'KubeNotFound') return false
      if (error.retry !== 'conflict' || round === conflictRounds) throw error
    }
  }
}

/** The object with its own resourceVersion: the write fails when anything changed since. */
export function withIssuing(
  object: JsonObject,
  { generation }: Certificate,
  why: { readonly reason: string; readonly message: string },
  now: number,
): JsonObject {
  const status = objectAt(object, 'status')
  const others = objectsAt(status, 'conditions').filter((one) => textAt(one, 'type') !== 'Issuing')
  const issuing = {
    type: 'Issuing',
    status: 'True',
    ...why,
    lastTransitionTime: kubeTime(now),
    observedGeneration: generation,
  }
  return { ...object, status: { ...status, conditions: [...others, issuing] } }
}
