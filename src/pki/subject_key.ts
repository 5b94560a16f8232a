import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { unsigned } from './bytes.ts'
import { type Element, readDer, tags } from './der.ts'
import { Fields, readBitOctets, readOid } from './der_fields.ts'
import { type Curve, type CurveParameters, curves, isOnCurve } from './elliptic_curves.ts'
import { oid } from './oids.ts'
import { encodePem } from './pem.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'

interface AnySubjectKey {
  /** SubjectPublicKeyInfo, DER, as it was sent. */
  readonly spki: Uint8Array
  /** The octets of subjectPublicKey alone: what a key identifier is the hash of. */
  readonly keyOctets: Uint8Array
  readonly publicKey: KeyObject
}

export interface RsaKey extends AnySubjectKey {
  readonly kind: 'rsa'
  readonly bits: number
  readonly modulus: bigint
}

export interface EcKey extends AnySubjectKey {
  readonly kind: 'ec'
  readonly curve: Curve
}

export interface Ed25519Key extends AnySubjectKey {
  readonly kind: 'ed25519'
}

export type SubjectKey = RsaKey | EcKey | Ed25519Key

export const rsaBits = { min: 2048, max: 8192 } as const

/** Parses a SubjectPublicKeyInfo. */
export function parseSubjectKey(spki: Uint8Array): Parsed<SubjectKey> {
  return parsed(() => readSubjectKey(readDer(spki, 'the public key')))
}

/**
 * Reads a SubjectPublicKeyInfo by our own rules. `node:crypto` sees a key only after it passed: it
 * takes even moduli, exponent 1 and explicit curves, and Node before 24 aborts the whole process on
 * an EC point in its one-octet infinity form.
 */
export function readSubjectKey(element: Element): SubjectKey {
  const info = new Fields(element, 'the public key')
  const algorithm = new Fields(info.required('algorithm'), 'the algorithm of the public key')
  const keyOctets = readBitOctets(info.required('subjectPublicKey'), 'subjectPublicKey')
  info.end()

  const type = readOid(algorithm.required('identifier'), 'the algorithm of the public key')
  const read = readers.get(type)
  if (read === undefined) {
    return refuse(
      'key-unsupported',
      `the public key is of type ${type}; supported are RSA, ECDSA on P-256, P-384 and P-521, and Ed25519`,
    )
  }
  return read({ element, algorithm, keyOctets })
}

/** For messages: `RSA 2048`, `ECDSA P-256`, `Ed25519`. */
export function describeKey(key: SubjectKey): string {
  if (key.kind === 'rsa') return `RSA ${key.bits}`
  return key.kind === 'ec' ? `ECDSA ${key.curve}` : 'Ed25519'
}

/** SHA-1 of the key's octets: method 1 of RFC 5280 §4.2.1.2, an identifier and not a protection. */
export function keyIdentifier(key: SubjectKey): Uint8Array {
  return new Uint8Array(hash('sha1', key.keyOctets, 'buffer'))
}

interface UnreadKey {
  readonly element: Element
  /** Stands behind the algorithm's identifier, before its parameters. */
  readonly algorithm: Fields
  readonly keyOctets: Uint8Array
}

const readers: ReadonlyMap<string, (key: UnreadKey) => SubjectKey> = new Map<
  string,
  (key: UnreadKey) => SubjectKey
>([
  [oid.rsaEncryption, readRsaKey],
  [oid.ecPublicKey, readEcKey],
  [oid.ed25519, readEd25519Key],
])

function readRsaKey({ element, algorithm, keyOctets }: UnreadKey): RsaKey {
  // RFC 3279 §2.3.1: the parameters must be NULL.
  algorithm.required('NULL parameters', tags.null)
  algorithm.end()
  const key = new Fields(readDer(keyOctets, 'the RSA public key'), 'the RSA public key')
  const modulusOctets = key.required('modulus', tags.integer).content
  const exponentOctets = key.required('exponent', tags.integer).content
  key.end()

  if ((modulusOctets[0] ?? 0) >= 0x80 || (exponentOctets[0] ?? 0) >= 0x80) {
    refuse('key-encoding', 'the RSA key has a negative modulus or exponent')
  }
  const modulus = unsigned(modulusOctets)
  const bits = bitLength(modulusOctets)
  if (bits < rsaBits.min || bits > rsaBits.max || bits % 8 !== 0) {
    refuse(
      'key-size',
      `the RSA key has ${bits} bits; expected ${rsaBits.min} to ${rsaBits.max} and a multiple of 8`,
    )
  }
  if (modulus % 2n === 0n) refuse('key-weak', 'the modulus of the RSA key is even')

  const exponent = unsigned(exponentOctets)
  if (exponent < 65_537n || exponent > 0xffff_ffffn || exponent % 2n === 0n) {
    const seen = exponentOctets.length > 16 ? 'too large' : exponent
    refuse('key-exponent', `the exponent of the RSA key is ${seen}; expected odd, 65537 to 2^32`)
  }
  return { kind: 'rsa', bits, modulus, keyOctets, ...published(element) }
}

function readEcKey({ element, algorithm, keyOctets }: UnreadKey): EcKey {
  const parameters = algorithm.required('curve')
  algorithm.end()
  if (parameters.tag !== tags.oid) {
    refuse('key-unsupported', 'the EC key spells out its curve; expected a named curve')
  }
  const curve = readCurve(readOid(parameters, 'the curve of the public key'))
  const { coordinateLength } = curve
  if (keyOctets[0] !== 0x04 || keyOctets.length !== 1 + 2 * coordinateLength) {
    refuse(
      'key-encoding',
      `the EC key is not an uncompressed point of ${curve.name} (04, x and y of ${coordinateLength} octets each)`,
    )
  }
  const x = unsigned(keyOctets.subarray(1, 1 + coordinateLength))
  const y = unsigned(keyOctets.subarray(1 + coordinateLength))
  if (!isOnCurve(curve, x, y)) refuse('key-point', `the EC key is not a point of ${curve.name}`)
  return { kind: 'ec', curve: curve.name, keyOctets, ...published(element) }
}

function readEd25519Key({ element, algorithm, keyOctets }: UnreadKey): Ed25519Key {
  // RFC 8410 §3: parameters absent.
  algorithm.end()
  if (keyOctets.length !== 32) {
    refuse('key-encoding', `the Ed25519 key has ${keyOctets.length} octets; expected 32`)
  }
  return { kind: 'ed25519', keyOctets, ...published(element) }
}

function readCurve(curveOid: string): CurveParameters {
  const curve = curves.find((one) => one.oid === curveOid)
  if (curve !== undefined) return curve
  return refuse(
    'key-unsupported',
    `the EC key is on curve ${curveOid}; supported are P-256, P-384 and P-521`,
  )
}

/**
 * Only for an element whose every field has been read and found canonical. As PEM, which costs half:
 * Node 24 tries whether an options object is a key by exceptions that it catches.
 */
function published({ der }: Element): Pick<AnySubjectKey, 'spki' | 'publicKey'> {
  return { spki: der, publicKey: createPublicKey(encodePem('PUBLIC KEY', der)) }
}

function bitLength(octets: Uint8Array): number {
  const start = octets[0] === 0 ? 1 : 0
  const first = octets[start] ?? 0
  return (octets.length - start - 1) * 8 + (32 - Math.clz32(first))
}
