import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  paddingOf,
  type SignatureAlgorithm,
  signatureAlgorithms,
} from '../../src/pki/signature_algorithms.ts'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly spki: Uint8Array
}

const makers = {
  'RSA 2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'RSA 3072': () => generateKeyPairSync('rsa', { modulusLength: 3072 }),
  'RSA 4096': () => generateKeyPairSync('rsa', { modulusLength: 4096 }),
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ECDSA P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'ECDSA P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  secp256k1: () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  Ed25519: () => generateKeyPairSync('ed25519'),
} as const

export type KeyType = keyof typeof makers

/** A fresh key; RSA takes a moment. */
export function makeKey(type: KeyType): KeyPair {
  const { privateKey, publicKey } = makers[type]()
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  return { privateKey, publicKey, spki }
}

const kept = new Map<string, KeyPair>()

/** One key a type and name, kept for the whole test file. */
export function keyOf(type: KeyType, name = ''): KeyPair {
  const id = `${type} ${name}`
  const key = kept.get(id) ?? makeKey(type)
  kept.set(id, key)
  return key
}

/** What Key Vault would answer: r‖s for ECDSA. */
export function vaultSign(
  key: KeyPair,
  algorithm: SignatureAlgorithm,
  data: Uint8Array,
): Uint8Array {
  const options = {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
    ...paddingOf(algorithm),
  } as const
  return new Uint8Array(sign(algorithm.hash, data, options))
}

export interface OwnSignature {
  readonly identifier: Uint8Array
  readonly sign: (data: Uint8Array) => Uint8Array
}

/** A signature as X.509 holds it, by the named algorithm. */
export function x509Signature(key: KeyPair, algorithm: SignatureAlgorithm): OwnSignature {
  const options = { key: key.privateKey, dsaEncoding: 'der', ...paddingOf(algorithm) } as const
  return {
    identifier: algorithm.identifier,
    sign: (data) => new Uint8Array(sign(algorithm.hash, data, options)),
  }
}

/** The usual algorithm of a key. */
export function usualSignature(key: KeyPair): OwnSignature {
  if (key.publicKey.asymmetricKeyType === 'ed25519') {
    return {
      // id-Ed25519, RFC 8410 §3
      identifier: Uint8Array.of(0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70),
      sign: (data) => new Uint8Array(sign(null, data, key.privateKey)),
    }
  }
  const rsa = key.publicKey.asymmetricKeyType === 'rsa'
  return x509Signature(key, rsa ? signatureAlgorithms.RS256 : signatureAlgorithms.ES256)
}
