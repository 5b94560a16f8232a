import {
  constants,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { isJson, type Json } from './http.ts'

export interface Token {
  readonly header: Json
  readonly claims: Json
  readonly signed: string
  readonly signature: Uint8Array
}

/** Splits a compact JWS (RFC 7515, 7.1) without trusting it. */
export function parseToken(compact: string): Token | undefined {
  const [header = '', claims = '', signature = '', ...rest] = compact.split('.')
  if (rest.length > 0 || signature === '') return undefined
  const parsedHeader = parsePart(header)
  const parsedClaims = parsePart(claims)
  if (parsedHeader === undefined || parsedClaims === undefined) return undefined
  return {
    header: parsedHeader,
    claims: parsedClaims,
    signed: `${header}.${claims}`,
    signature: Buffer.from(signature, 'base64url'),
  }
}

/** Kubernetes signs with one of these, msal with PS256, Entra itself with RS256. */
const algorithms = new Map<
  string,
  { readonly hash: string; readonly kty: string; readonly pss?: true }
>([
  ['RS256', { hash: 'sha256', kty: 'RSA' }],
  ['RS384', { hash: 'sha384', kty: 'RSA' }],
  ['RS512', { hash: 'sha512', kty: 'RSA' }],
  ['PS256', { hash: 'sha256', kty: 'RSA', pss: true }],
  ['ES256', { hash: 'sha256', kty: 'EC' }],
  ['ES384', { hash: 'sha384', kty: 'EC' }],
  ['ES512', { hash: 'sha512', kty: 'EC' }],
])

/** The key that the header names; without a `kid` only a single key can be meant. */
export function keyFor(token: Token, keys: readonly JsonWebKey[]): JsonWebKey | undefined {
  const kid = token.header.kid
  if (kid === undefined) return keys.length === 1 ? keys[0] : undefined
  return keys.find((key) => key.kid === kid)
}

export function isSignedBy(token: Token, key: JsonWebKey): boolean {
  const algorithm = algorithms.get(String(token.header.alg))
  if (algorithm === undefined || algorithm.kty !== key.kty) return false
  try {
    const publicKey = createPublicKey({ key, format: 'jwk' })
    const pss = {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }
    const options = {
      key: publicKey,
      dsaEncoding: 'ieee-p1363',
      ...(algorithm.pss && pss),
    } as const
    return verify(algorithm.hash, Buffer.from(token.signed), options, token.signature)
  } catch {
    return false
  }
}

export class TokenSigner {
  readonly publicJwk: JsonWebKey
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #kid: string

  constructor(privateJwk: JsonWebKey) {
    this.#privateKey = createPrivateKey({ key: privateJwk, format: 'jwk' })
    this.#publicKey = createPublicKey(this.#privateKey)
    this.#kid = String(privateJwk.kid)
    this.publicJwk = {
      ...this.#publicKey.export({ format: 'jwk' }),
      kid: this.#kid,
      use: 'sig',
      alg: 'RS256',
    }
  }

  issue(claims: Json): string {
    const header = { typ: 'JWT', alg: 'RS256', x5t: this.#kid, kid: this.#kid }
    const signed = `${encodePart(header)}.${encodePart(claims)}`
    const signature = sign('sha256', Buffer.from(signed), this.#privateKey)
    return `${signed}.${signature.toString('base64url')}`
  }

  knows(token: Token): boolean {
    return token.header.alg === 'RS256' && token.header.kid === this.#kid
  }

  signed(token: Token): boolean {
    return verify('sha256', Buffer.from(token.signed), this.#publicKey, token.signature)
  }
}

function encodePart(value: Json): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function parsePart(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return isJson(value) ? value : undefined
  } catch {
    return undefined
  }
}
