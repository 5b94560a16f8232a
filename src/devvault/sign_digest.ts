import {
  constants,
  createECDH,
  createHash,
  createPrivateKey,
  hash,
  type JsonWebKey,
  type KeyObject,
  privateEncrypt,
  randomBytes,
} from 'node:crypto'
import { invariant } from '../error.ts'

export interface SignatureAlgorithm {
  readonly kty: 'RSA' | 'EC'
  readonly scheme: 'pkcs1' | 'pss' | 'ecdsa'
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** Bytes. */
  readonly digestLength: number
  /** The only curve the algorithm goes with (RFC 7518, 3.4). */
  readonly crv?: string
}

export const signatureAlgorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ['RS256', { kty: 'RSA', scheme: 'pkcs1', hash: 'sha256', digestLength: 32 }],
  ['RS384', { kty: 'RSA', scheme: 'pkcs1', hash: 'sha384', digestLength: 48 }],
  ['RS512', { kty: 'RSA', scheme: 'pkcs1', hash: 'sha512', digestLength: 64 }],
  ['PS256', { kty: 'RSA', scheme: 'pss', hash: 'sha256', digestLength: 32 }],
  ['PS384', { kty: 'RSA', scheme: 'pss', hash: 'sha384', digestLength: 48 }],
  ['PS512', { kty: 'RSA', scheme: 'pss', hash: 'sha512', digestLength: 64 }],
  ['ES256', { kty: 'EC', scheme: 'ecdsa', hash: 'sha256', digestLength: 32, crv: 'P-256' }],
  ['ES384', { kty: 'EC', scheme: 'ecdsa', hash: 'sha384', digestLength: 48, crv: 'P-384' }],
  ['ES512', { kty: 'EC', scheme: 'ecdsa', hash: 'sha512', digestLength: 64, crv: 'P-521' }],
])

/** Signs a digest made by the caller, which node:crypto offers for no scheme directly. */
export type DigestSigner = (algorithm: SignatureAlgorithm, digest: Uint8Array) => Uint8Array

/** The work that needs the key only once is done here; the signer is then kept by the caller. */
export function digestSigner(jwk: JsonWebKey): DigestSigner {
  if (jwk.kty === 'EC') return ecdsaSigner(jwk)
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  return (algorithm, digest) =>
    algorithm.scheme === 'pkcs1'
      ? signPkcs1(key, algorithm, digest)
      : signPss(key, algorithm, digest)
}

/** DER of DigestInfo up to the digest itself (RFC 8017, 9.2, note 1). */
const digestInfo = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
} as const

function signPkcs1(key: KeyObject, algorithm: SignatureAlgorithm, digest: Uint8Array): Uint8Array {
  const info = Buffer.concat([Buffer.from(digestInfo[algorithm.hash], 'hex'), digest])
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info)
}

/** EMSA-PSS with a salt as long as the hash (RFC 8017, 9.1.1; RFC 7518, 3.5). */
function signPss(key: KeyObject, algorithm: SignatureAlgorithm, digest: Uint8Array): Uint8Array {
  const length = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  const salt = randomBytes(digest.length)
  const h = createHash(algorithm.hash).update(Buffer.alloc(8)).update(digest).update(salt).digest()
  const padding = Buffer.alloc(length - 2 * digest.length - 2)
  const block = Buffer.concat([padding, Uint8Array.of(1), salt])
  mask(block, h, algorithm.hash)
  block[0] = (block[0] ?? 0) & 0x7f
  const encoded = Buffer.concat([block, h, Uint8Array.of(0xbc)])
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded)
}

/** XORs MGF1 of the seed over the block (RFC 8017, B.2.1). */
function mask(block: Uint8Array, seed: Uint8Array, hashName: string): void {
  const counter = Buffer.alloc(4)
  for (let at = 0, index = 0; at < block.length; index += 1) {
    counter.writeUInt32BE(index)
    for (const byte of hash(hashName, Buffer.concat([seed, counter]), 'buffer')) {
      if (at === block.length) break
      block[at] = (block[at] ?? 0) ^ byte
      at += 1
    }
  }
}

/** Group orders (FIPS 186-5, SP 800-186) and the names node:crypto has for the curves. */
const curves = new Map([
  [
    'P-256',
    {
      openssl: 'prime256v1',
      length: 32,
      order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    },
  ],
  [
    'P-384',
    {
      openssl: 'secp384r1',
      length: 48,
      order:
        0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    },
  ],
  [
    'P-521',
    {
      openssl: 'secp521r1',
      length: 66,
      order:
        0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    },
  ],
])

/**
 * ECDSA (FIPS 186-5, 6.4.1) with raw r and s as the result. The random k and its point come from
 * OpenSSL's key generation. The numbers that follow are not computed in constant time: fine for a
 * trial stand-in, and one more reason why this is nothing else.
 */
function ecdsaSigner(jwk: JsonWebKey): DigestSigner {
  const curve = curves.get(String(jwk.crv))
  invariant(curve, `no curve ${String(jwk.crv)}`)
  const { order, length } = curve
  const d = bigint(Buffer.from(String(jwk.d), 'base64url'))
  return (_algorithm, digest) => {
    // No digest is longer than its curve's order here, so no bits are cut off.
    const z = bigint(digest)
    for (;;) {
      const ephemeral = createECDH(curve.openssl)
      const point = ephemeral.generateKeys()
      const r = bigint(point.subarray(1, 1 + length)) % order
      const s = (inverse(bigint(ephemeral.getPrivateKey()), order) * (z + r * d)) % order
      if (r !== 0n && s !== 0n) return Buffer.concat([bytes(r, length), bytes(s, length)])
    }
  }
}

function bigint(value: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(value).toString('hex')}`)
}

function bytes(value: bigint, length: number): Uint8Array {
  return Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex')
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [t, nextT, r, nextR] = [0n, 1n, modulus, value % modulus]
  while (nextR !== 0n) {
    const quotient = r / nextR
    ;[t, nextT] = [nextT, t - quotient * nextT]
    ;[r, nextR] = [nextR, r - quotient * nextR]
  }
  return t < 0n ? t + modulus : t
}
