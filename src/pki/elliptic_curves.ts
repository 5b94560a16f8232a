import { oid } from './oids.ts'

export type Curve = 'P-256' | 'P-384' | 'P-521'

/** A curve y² = x³ − 3x + b over the field of the prime p (SP 800-186 §3.2.1). */
export interface CurveParameters {
  readonly name: Curve
  readonly oid: string
  /** Name in OpenSSL. */
  readonly openssl: string
  /** Octets of a coordinate, and of r and s in a signature. */
  readonly coordinateLength: number
  readonly p: bigint
  readonly b: bigint
  /** The order of the group. */
  readonly n: bigint
}

export const curves: readonly CurveParameters[] = [
  {
    name: 'P-256',
    oid: oid.p256,
    openssl: 'prime256v1',
    coordinateLength: 32,
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  {
    name: 'P-384',
    oid: oid.p384,
    openssl: 'secp384r1',
    coordinateLength: 48,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  {
    name: 'P-521',
    oid: oid.p521,
    openssl: 'secp521r1',
    coordinateLength: 66,
    p: 2n ** 521n - 1n,
    b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    n: 0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
]

/** Public key validation of SP 800-56A §5.6.2.3; all three groups have cofactor 1. */
export function isOnCurve({ p, b }: CurveParameters, x: bigint, y: bigint): boolean {
  if (x >= p || y >= p) return false
  return (y * y - (x * x * x - 3n * x + b)) % p === 0n
}
