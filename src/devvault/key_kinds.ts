import { generateKeyPair, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { badParameter } from './errors.ts'
import type { KeyType } from './state.ts'

/** RSA keys do everything by default, EC keys sign (recorded). */
export const defaultKeyOps = {
  RSA: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
  EC: ['sign', 'verify'],
} as const

const curves = new Set(['P-256', 'P-384', 'P-521'])
const rsaSizes = new Set([2048, 3072, 4096])

export function isRsa(kty: KeyType): boolean {
  return kty === 'RSA' || kty === 'RSA-HSM'
}

export function isHsm(kty: KeyType): boolean {
  return kty === 'RSA-HSM' || kty === 'EC-HSM'
}

/** Bits of an RSA modulus. */
export function rsaSize(jwk: JsonWebKey): number {
  return Buffer.from(String(jwk.n), 'base64url').length * 8
}

/** What is asked of a new key; parsed by `keyShape`. */
export interface KeyShape {
  readonly kty: KeyType
  readonly size: number
  readonly crv: string
}

/** Size and curve as Key Vault makes them. P-256K is not made here. */
export function keyShape(kty: KeyType, size: unknown, crv: unknown): KeyShape {
  if (isRsa(kty)) {
    const bits = size ?? 2048
    if (typeof bits === 'number' && rsaSizes.has(bits)) return { kty, size: bits, crv: '' }
    throw badParameter('Property key_size has invalid value')
  }
  const curve = crv ?? 'P-256'
  if (typeof curve === 'string' && curves.has(curve)) return { kty, size: 0, crv: curve }
  throw badParameter('Property crv has invalid value')
}

export async function generateKey({ kty, size, crv }: KeyShape): Promise<JsonWebKey> {
  const { privateKey } = isRsa(kty)
    ? await promisify(generateKeyPair)('rsa', { modulusLength: size })
    : await promisify(generateKeyPair)('ec', { namedCurve: crv })
  return privateKey.export({ format: 'jwk' })
}

/** For renewals, which nobody waits for. */
export function generateKeySync({ kty, size, crv }: KeyShape): JsonWebKey {
  const { privateKey } = isRsa(kty)
    ? generateKeyPairSync('rsa', { modulusLength: size })
    : generateKeyPairSync('ec', { namedCurve: crv })
  return privateKey.export({ format: 'jwk' })
}

/** The private key as a JWK, when it is of a kind that Key Vault keeps. */
export function privateJwk(read: () => KeyObject): JsonWebKey {
  let jwk: JsonWebKey
  try {
    jwk = read().export({ format: 'jwk' })
  } catch {
    throw badParameter('Property key has invalid value')
  }
  if (jwk.kty === 'RSA' && !rsaSizes.has(rsaSize(jwk))) {
    throw badParameter('Property key.n has invalid value')
  }
  if (jwk.kty === 'EC' && !curves.has(String(jwk.crv))) {
    throw badParameter('Property key.crv has invalid value')
  }
  if (jwk.kty !== 'RSA' && jwk.kty !== 'EC')
    throw badParameter('Property key.kty has invalid value')
  return jwk
}
