import type { Certificate } from '../api/certificate.ts'
import { certManagerGroup } from '../api/names.ts'
import { IssuerError } from '../error.ts'
import { booleanAt, type JsonObject, objectAt, objectsAt, textAt } from '../json.ts'

/**
 * Throws unless cert-manager marked the Secret, by label and owner, as the one with the key of the
 * Certificate's next certificate: no other is ever written.
 *
 * @throws IssuerError `RequestNotCurrent`
 */
export function checkNextKeySecret(secret: JsonObject, { uid, name }: Certificate): void {
  const metadata = objectAt(secret, 'metadata')
  const label = textAt(objectAt(metadata, 'labels'), `${certManagerGroup}/next-private-key`)
  const isOwned = objectsAt(metadata, 'ownerReferences').some(
    (one) => booleanAt(one, 'controller') === true && textAt(one, 'uid') === uid,
  )
  if (label === 'true' && isOwned) return
  throw new IssuerError(
    'RequestNotCurrent',
    `Secret "${textAt(metadata, 'name')}" is not marked by cert-manager as the next private key of ` +
      `Certificate "${name}"; nothing is written to it`,
  )
}

/**
 * The Secret with another key, and the resourceVersion that was read: a write of it fails when
 * anybody changed the Secret since, or made another of its name.
 */
export function withKey(secret: JsonObject, privateKeyPkcs8Pem: string): JsonObject {
  const key = Buffer.from(privateKeyPkcs8Pem, 'latin1').toString('base64')
  return { ...secret, data: { ...objectAt(secret, 'data'), 'tls.key': key } }
}
