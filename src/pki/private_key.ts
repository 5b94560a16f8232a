import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { unsigned } from './bytes.ts'
import { type Element, readDer, tags } from './der.ts'
import { explicitly, Fields, readOid, readSmallInteger } from './der_fields.ts'
import {
  bitString,
  derNull,
  explicit,
  objectIdentifier,
  octetString,
  sequence,
  unsignedInteger,
} from './der_writer.ts'
import { type CurveParameters, curves } from './elliptic_curves.ts'
import type { Scratch } from './key_bundle.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'
import { readSubjectKey, rsaBits, type SubjectKey } from './subject_key.ts'

/** A private key that was checked, with the public key that it makes. */
export interface PrivateKey {
  readonly privateKey: KeyObject
  readonly publicKey: SubjectKey
}

const what = 'the private key'

/**
 * Reads a PrivateKeyInfo (RFC 5208, RFC 5958) and checks that its parts belong together. What
 * `node:crypto` is given is encoded anew: it would believe a public key that comes along, and take
 * RSA factors that only some libraries refuse later.
 */
export function readPrivateKey(pkcs8: Uint8Array, scratch: Scratch): PrivateKey {
  const info = new Fields(readDer(pkcs8, what), what)
  const version = readSmallInteger(info.required('version'), `the version of ${what}`)
  if (version > 1) refuse('version', `${what} has PKCS #8 version ${version}; expected 0 or 1`)
  const algorithm = new Fields(info.required('privateKeyAlgorithm'), `the algorithm of ${what}`)
  const inner = info.required('privateKey', tags.octetString).content
  // Attributes, and from version 1 on the public key.
  info.optional(0xa0)
  info.optional(0x81)
  info.end()

  const type = readOid(algorithm.required('identifier'), `the algorithm of ${what}`)
  const encode = encoders.get(type)
  if (encode === undefined) {
    return refuse('key-unsupported', `${what} is of type ${type}; ${supported}`)
  }
  return load(scratch.keep(encode(algorithm, inner, scratch)))
}

/** The PKCS #8 of an ECPrivateKey that names its curve (RFC 5915). */
export function pkcs8FromSec1(der: Uint8Array, scratch: Scratch): Uint8Array {
  const { parameters } = readEcFields(der)
  if (parameters === undefined) {
    return refuse('key-encoding', 'the EC PRIVATE KEY does not name its curve; use PKCS #8')
  }
  return scratch.keep(encodePkcs8(sequence(objectIdentifier(oid.ecPublicKey), parameters.der), der))
}

/** The PKCS #8 of an RSAPrivateKey (RFC 8017 appendix A.1.2). */
export function pkcs8FromPkcs1(der: Uint8Array, scratch: Scratch): Uint8Array {
  return scratch.keep(encodePkcs8(rsaAlgorithm, der))
}

const supported = 'supported are RSA, ECDSA on P-256, P-384 and P-521, and Ed25519'

/** Checks what is inside and encodes it as PKCS #8 with nothing that could contradict it. */
type Encoder = (algorithm: Fields, inner: Uint8Array, scratch: Scratch) => Uint8Array

const encoders: ReadonlyMap<string, Encoder> = new Map([
  [oid.rsaEncryption, encodeRsa],
  [oid.ecPublicKey, encodeEc],
  [oid.ed25519, encodeEd25519],
])

const rsaAlgorithm = sequence(objectIdentifier(oid.rsaEncryption), derNull)

function encodeRsa(algorithm: Fields, inner: Uint8Array): Uint8Array {
  algorithm.optional(tags.null)
  algorithm.end()
  const fields = new Fields(readDer(inner, what), what)
  const version = readSmallInteger(fields.required('version'), `the version of ${what}`)
  if (version !== 0) refuse('key-unsupported', `${what} is RSA with more than two primes`)
  const [n, e, d, p, q, dp, dq, qInverse] = [
    readPositive(fields, 'modulus'),
    readPositive(fields, 'publicExponent'),
    readPositive(fields, 'privateExponent'),
    readPositive(fields, 'prime1'),
    readPositive(fields, 'prime2'),
    readPositive(fields, 'exponent1'),
    readPositive(fields, 'exponent2'),
    readPositive(fields, 'coefficient'),
  ]
  fields.end()

  const consistent =
    p > 1n &&
    q > 1n &&
    p * q === n &&
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    dp === d % (p - 1n) &&
    dq === d % (q - 1n) &&
    (q * qInverse) % p === 1n
  if (!consistent) refuseInconsistent('its RSA numbers do not fit each other')
  return encodePkcs8(rsaAlgorithm, inner)
}

function readPositive(fields: Fields, field: string): bigint {
  const { content } = fields.required(field, tags.integer)
  // The sign octet comes on top.
  if ((content[0] ?? 0) >= 0x80 || content.length > rsaBits.max / 8 + 1) {
    refuse('key-size', `${field} of ${what} is negative or longer than ${rsaBits.max} bits`)
  }
  return unsigned(content)
}

function encodeEc(algorithm: Fields, inner: Uint8Array, scratch: Scratch): Uint8Array {
  const curve = readCurve(algorithm.required('curve'))
  algorithm.end()
  const { scalar, parameters } = readEcFields(inner)
  if (parameters !== undefined && readCurve(parameters) !== curve) {
    refuseInconsistent('it names two curves')
  }
  const number = unsigned(scalar)
  if (number === 0n || number >= curve.n) {
    refuse('key-encoding', `${what} is not a number below the order of ${curve.name}`)
  }
  const digits = number.toString(16).padStart(curve.coordinateLength * 2, '0')
  const octets = scratch.keep(Buffer.from(digits, 'hex'))
  const version = unsignedInteger(Uint8Array.of(1))
  // The public key that belongs to it, for programs that want one there (RFC 5915 §3).
  const point = createECDH(curve.openssl)
  point.setPrivateKey(octets)
  const publicKey = explicit(1, bitString(point.getPublicKey()))
  const ecPrivateKey = scratch.keep(sequence(version, scratch.keep(octetString(octets)), publicKey))
  const identifier = sequence(objectIdentifier(oid.ecPublicKey), objectIdentifier(curve.oid))
  return encodePkcs8(identifier, ecPrivateKey)
}

function readEcFields(der: Uint8Array): {
  readonly scalar: Uint8Array
  readonly parameters: Element | undefined
} {
  const fields = new Fields(readDer(der, what), what)
  const version = readSmallInteger(fields.required('version'), `the version of ${what}`)
  if (version !== 1) refuse('version', `${what} has SEC 1 version ${version}; expected 1`)
  const scalar = fields.required('privateKey', tags.octetString).content
  const parameters = fields.optional(0xa0)
  fields.optional(0xa1)
  fields.end()
  return { scalar, parameters: parameters && explicitly(parameters, `the curve of ${what}`) }
}

function readCurve(element: Element): CurveParameters {
  if (element.tag !== tags.oid) {
    refuse('key-unsupported', `${what} spells out its curve; expected a named curve`)
  }
  const id = readOid(element, `the curve of ${what}`)
  if (id === oid.secp256k1) {
    refuse(
      'key-unsupported',
      `${what} is on P-256K (secp256k1), which TLS does not have; set key_props.crv to P-256, P-384 or P-521 in the certificate's policy and create a new version`,
    )
  }
  const curve = curves.find((one) => one.oid === id)
  return curve ?? refuse('key-unsupported', `${what} is on curve ${id}; ${supported}`)
}

/** RFC 8410 §7: an OCTET STRING in the OCTET STRING. */
function encodeEd25519(algorithm: Fields, inner: Uint8Array): Uint8Array {
  algorithm.end()
  const seed = readDer(inner, what)
  if (seed.tag !== tags.octetString || seed.content.length !== 32) {
    refuse('key-encoding', `${what} is not an Ed25519 key of 32 octets`)
  }
  return encodePkcs8(sequence(objectIdentifier(oid.ed25519)), inner)
}

function encodePkcs8(algorithm: Uint8Array, inner: Uint8Array): Uint8Array {
  const wrapped = octetString(inner)
  const encoded = sequence(unsignedInteger(Uint8Array.of(0)), algorithm, wrapped)
  wrapped.fill(0)
  return encoded
}

function load(der: Uint8Array): PrivateKey {
  const privateKey = tryLoad(der)
  const spki = new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))
  return { privateKey, publicKey: readSubjectKey(readDer(spki, 'the public key')) }
}

function tryLoad(der: Uint8Array): KeyObject {
  try {
    return createPrivateKey({
      key: Buffer.from(der.buffer, der.byteOffset, der.length),
      format: 'der',
      type: 'pkcs8',
    })
  } catch {
    // OpenSSL's error is no cause to keep: it stands next to key material.
    return refuse('key-encoding', `${what} cannot be loaded; export it again as PKCS #8`)
  }
}

function refuseInconsistent(fault: string): never {
  return refuse('key-inconsistent', `${what} is damaged: ${fault}; import the certificate again`)
}
