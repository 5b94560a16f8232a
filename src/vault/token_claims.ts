import { isObject, type JsonObject } from '../json.ts'

/**
 * The claims of an access token, to tell a person whose it is. They are read and not verified, and
 * nothing may be decided by them; a token that is no JWT has none.
 */
export function tokenClaims(token: string): JsonObject {
  const [, payload = ''] = token.split('.')
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    return isObject(claims) ? claims : {}
  } catch {
    return {}
  }
}
