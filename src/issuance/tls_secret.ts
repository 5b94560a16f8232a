import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { IssuerError } from '../error.ts'
import { isObject, type JsonObject, objectAt, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'

/**
 * A Secret as it is now; `undefined` when there is none.
 *
 * @throws IssuerError `KubeForbidden` that says which role to bind
 */
export async function readSecret(
  kube: KubeClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  try {
    const path = secretPath(namespace, name)
    const secret = await kube.request({ method: 'GET', path }, signal)
    return isObject(secret) ? secret : undefined
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error
    if (error.code === 'KubeNotFound') return undefined
    throw error.code === 'KubeForbidden' ? withoutRight(namespace, error) : error
  }
}

export function secretPath(namespace: string, name: string): string {
  return resourcePath({ group: '', version: 'v1', resource: 'secrets', namespace, name })
}

/** The error for a namespace whose Secrets are closed to us. */
export function withoutRight(namespace: string, cause: IssuerError): IssuerError {
  return new IssuerError(
    'KubeForbidden',
    `the controller may not read and update Secrets in namespace "${namespace}" — bind the ` +
      'ClusterRole akv-issuer-deliver to its ServiceAccount by a RoleBinding there',
    { cause },
  )
}

/** The leaf of a `kubernetes.io/tls` Secret, DER, if its key is the leaf's; else `undefined`. */
export function leafOf(secret: JsonObject | undefined): Uint8Array | undefined {
  const certificate = dataOf(secret, 'tls.crt')
  const key = dataOf(secret, 'tls.key')
  if (certificate === undefined || key === undefined) return undefined
  try {
    const leaf = new X509Certificate(certificate)
    return leaf.checkPrivateKey(createPrivateKey(key)) ? new Uint8Array(leaf.raw) : undefined
  } catch {
    return undefined
  }
}

/** The public key of the private key in `tls.key`, as SubjectPublicKeyInfo DER. */
export function publicKeyOf(secret: JsonObject | undefined): Uint8Array | undefined {
  const key = dataOf(secret, 'tls.key')
  if (key === undefined) return undefined
  try {
    return new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  } catch {
    return undefined
  }
}

function dataOf(secret: JsonObject | undefined, name: string): Buffer | undefined {
  const encoded = textAt(objectAt(secret, 'data'), name)
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64')
}
