/**
 * What a Managed HSM answers otherwise than a vault does. Recorded: the challenge without a body (see
 * access.ts), the headers, key types, default operations and attributes, and `alg` beside a signature.
 */
import { vaultError } from './errors.ts'
import type { Refusal } from './http.ts'
import { isRsa } from './key_kinds.ts'
import type { KeyType } from './state.ts'

/** Headers of every answer; the last two only to a caller that was let in. */
export function managedHsmHeaders(requestId: string, authenticated: boolean) {
  return {
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': "default-src 'self'",
    'Content-Type': 'application/json; charset=utf-8',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'SAMEORIGIN',
    'x-ms-request-id': requestId,
    'x-ms-server-latency': '0',
    ...(authenticated && {
      'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=Ipv4;',
      'x-ms-keyvault-region': 'devvault',
    }),
  }
}

/** Every key is one of the HSM, whatever was asked for. */
export function managedHsmKeyType(kty: KeyType): KeyType {
  return isRsa(kty) ? 'RSA-HSM' : 'EC-HSM'
}

export const managedHsmKeyOps = {
  RSA: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
  EC: ['sign', 'verify', 'deriveKey'],
} as const

/**
 * Local RBAC: code and words are reported for role assignments, believed for keys. The actions have
 * names of their own (documented).
 *
 * @param object `keys/name`, or nothing for a list
 */
export function forbiddenByLocalRbac(action: string, object: string, activityId: string): Refusal {
  const name = `Microsoft.KeyVault/managedHsm/${actionNames.get(action) ?? action}`
  const message = `Not authorized to access ${name} on /${object} (Activity ID: ${activityId})`
  return vaultError(403, 'AccessDenied', message)
}

/** By the vault's name, where they differ. */
const actionNames: ReadonlyMap<string, string> = new Map([
  ['keys/read', 'keys/read/action'],
  ['keys/create/action', 'keys/create'],
  ['keys/update/action', 'keys/write/action'],
])
