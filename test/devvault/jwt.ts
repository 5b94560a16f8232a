import { type KeyObject, sign } from 'node:crypto'

/** Header or claims as a part of a compact token. */
export function encodePart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** A signed token, by node:crypto alone. */
export function jwt(header: object, claims: object, key: KeyObject): string {
  const signed = `${encodePart(header)}.${encodePart(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}
