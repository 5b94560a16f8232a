import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { unsigned } from '../../src/pki/bytes.ts'
import { type Element, readDer } from '../../src/pki/der.ts'
import {
  bitString,
  derNull,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  unsignedInteger,
} from '../../src/pki/der_writer.ts'
import { Scratch } from '../../src/pki/key_bundle.ts'
import { oid } from '../../src/pki/oids.ts'
import { pkcs8FromPkcs1, pkcs8FromSec1, readPrivateKey } from '../../src/pki/private_key.ts'
import { parsed, type Rule } from '../../src/pki/refusal.ts'
import { type KeyType, keyOf } from './keys.ts'
import { accepted, assertRefused } from './outcomes.ts'

function read(pkcs8: Uint8Array) {
  return parsed(() => readPrivateKey(pkcs8, new Scratch()))
}

const version0 = unsignedInteger(Uint8Array.of(0))
const version1 = unsignedInteger(Uint8Array.of(1))
const algorithms = {
  rsa: sequence(objectIdentifier(oid.rsaEncryption), derNull),
  ec: sequence(objectIdentifier(oid.ecPublicKey), objectIdentifier(oid.p256)),
  ed25519: sequence(objectIdentifier(oid.ed25519)),
} as const

const ecKey = keyOf('ECDSA P-256')
const otherEcKey = keyOf('ECDSA P-256', 'other')
const rsaKey = keyOf('RSA 2048')
const scalar = Buffer.from(ecKey.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
const seed = Buffer.from(keyOf('Ed25519').privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
const edInner = octetString(octetString(seed))

function privateKeyInfo(algorithm: Uint8Array, inner: Uint8Array, ...rest: readonly Uint8Array[]) {
  return sequence(version0, algorithm, octetString(inner), ...rest)
}

/** ECPrivateKey. */
function sec1(octets: Uint8Array, ...rest: readonly Uint8Array[]): Uint8Array {
  return sequence(version1, octetString(octets), ...rest)
}

describe('a private key is read', () => {
  const types: readonly KeyType[] = [
    'RSA 2048',
    'ECDSA P-256',
    'ECDSA P-384',
    'ECDSA P-521',
    'Ed25519',
  ]
  for (const type of types) {
    test(type, () => {
      const { privateKey, spki } = keyOf(type)
      const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
      const key = accepted(read(pkcs8))
      assert.ok(key.privateKey.equals(privateKey))
      // The public key of an EC key among it.
      assert.deepEqual(key.privateKey.export({ type: 'pkcs8', format: 'der' }), pkcs8)
      assert.deepEqual(key.publicKey.spki, spki)
    })
  }

  const attributes = explicit(0, sequence(objectIdentifier(oid.keyUsage), octetString(scalar)))
  const strangersPublicKey = implicit(1, Uint8Array.of(0, 4, ...otherEcKey.spki.slice(-64)))
  const forms: Readonly<Record<string, Uint8Array>> = {
    'with attributes, as Windows writes': privateKeyInfo(algorithms.ec, sec1(scalar), attributes),
    'with its curve named twice': privateKeyInfo(
      algorithms.ec,
      sec1(scalar, explicit(0, objectIdentifier(oid.p256))),
    ),
    'with leading zeros in excess': privateKeyInfo(
      algorithms.ec,
      sec1(Uint8Array.of(0, 0, ...scalar)),
    ),
    'with a public key of version 1 that is not its own': sequence(
      version1,
      algorithms.ec,
      octetString(sec1(scalar)),
      strangersPublicKey,
    ),
    'with a public key inside that is not its own': privateKeyInfo(
      algorithms.ec,
      sec1(scalar, explicit(1, bitString(otherEcKey.spki.slice(-65)))),
    ),
  }
  for (const [title, der] of Object.entries(forms)) {
    test(title, () => {
      const key = accepted(read(der))
      assert.ok(key.privateKey.equals(ecKey.privateKey))
      assert.deepEqual(key.publicKey.spki, ecKey.spki)
      const [written, own] = [key, ecKey].map(({ privateKey }) =>
        privateKey.export({ type: 'pkcs8', format: 'der' }),
      )
      assert.deepEqual(written, own)
    })
  }

  test('Ed25519 of version 1, with its public key', () => {
    const publicKey = implicit(1, Uint8Array.of(0, ...keyOf('Ed25519').spki.slice(-32)))
    const key = accepted(read(sequence(version1, algorithms.ed25519, edInner, publicKey)))
    assert.ok(key.privateKey.equals(keyOf('Ed25519').privateKey))
  })

  test('SEC 1 and PKCS #1', () => {
    const der = { format: 'der' } as const
    const fromSec1 = pkcs8FromSec1(ecKey.privateKey.export({ type: 'sec1', ...der }), new Scratch())
    assert.ok(accepted(read(fromSec1)).privateKey.equals(ecKey.privateKey))
    const fromPkcs1 = pkcs8FromPkcs1(
      rsaKey.privateKey.export({ type: 'pkcs1', ...der }),
      new Scratch(),
    )
    assert.ok(accepted(read(fromPkcs1)).privateKey.equals(rsaKey.privateKey))
  })
})

describe('a private key is refused', () => {
  const order = Buffer.from(
    'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    'hex',
  )
  const cases: Readonly<Record<string, readonly [Uint8Array, Rule, RegExp]>> = {
    'that is not DER': [Uint8Array.of(0x30, 9), 'der-malformed', /the private key/],
    'of version 2': [
      sequence(unsignedInteger(Uint8Array.of(2)), algorithms.ec, octetString(sec1(scalar))),
      'version',
      /version 2/,
    ],
    'of an unknown type': [
      privateKeyInfo(sequence(objectIdentifier('1.3.101.113')), octetString(seed)),
      'key-unsupported',
      /1\.3\.101\.113/,
    ],
    'on P-256K': [
      keyOf('secp256k1').privateKey.export({ type: 'pkcs8', format: 'der' }),
      'key-unsupported',
      /P-256K.*key_props\.crv/,
    ],
    'on another curve': [
      privateKeyInfo(
        sequence(objectIdentifier(oid.ecPublicKey), objectIdentifier('1.3.132.0.33')),
        sec1(scalar),
      ),
      'key-unsupported',
      /1\.3\.132\.0\.33/,
    ],
    'that spells out its curve': [
      privateKeyInfo(sequence(objectIdentifier(oid.ecPublicKey), sequence()), sec1(scalar)),
      'key-unsupported',
      /named curve/,
    ],
    'that names two curves': [
      privateKeyInfo(algorithms.ec, sec1(scalar, explicit(0, objectIdentifier(oid.p384)))),
      'key-inconsistent',
      /two curves/,
    ],
    'that is zero': [
      privateKeyInfo(algorithms.ec, sec1(new Uint8Array(32))),
      'key-encoding',
      /order of P-256/,
    ],
    'that is the order of the curve': [
      privateKeyInfo(algorithms.ec, sec1(order)),
      'key-encoding',
      /order of P-256/,
    ],
    'Ed25519 of 31 octets': [
      privateKeyInfo(algorithms.ed25519, octetString(seed.subarray(1))),
      'key-encoding',
      /32 octets/,
    ],
    'RSA with more than two primes': [
      privateKeyInfo(algorithms.rsa, sequence(version1, ...rsaNumbers().slice(1))),
      'key-unsupported',
      /two primes/,
    ],
    'RSA whose number is too long': [
      privateKeyInfo(algorithms.rsa, withNumber(3, unsignedInteger(new Uint8Array(1026).fill(1)))),
      'key-size',
      /8192 bits/,
    ],
    'RSA of 1 · n': [
      privateKeyInfo(algorithms.rsa, withNumber(4, version1, withNumber(5, modulus()))),
      'key-inconsistent',
      /do not fit/,
    ],
  }
  for (const [title, [der, rule, words]] of Object.entries(cases)) {
    test(title, () => assertRefused(read(der), rule, words))
  }

  const numbers = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi']
  for (const [i, name] of numbers.entries()) {
    test(`RSA with a wrong ${name}`, () => {
      const value = unsigned(rsaFields()[i + 1]?.content ?? new Uint8Array())
      const wrong = (value ^ 4n).toString(16)
      const octets = Buffer.from(wrong.padStart(wrong.length + (wrong.length % 2), '0'), 'hex')
      const der = privateKeyInfo(algorithms.rsa, withNumber(i + 1, unsignedInteger(octets)))
      assertRefused(read(der), 'key-inconsistent', /do not fit/)
    })
  }

  test('SEC 1 without a curve', () => {
    const outcome = parsed(() => pkcs8FromSec1(sec1(scalar), new Scratch()))
    assertRefused(outcome, 'key-encoding', /does not name its curve/)
  })
})

test('what the reading of a key left in memory is zeroed', () => {
  const scratch = new Scratch()
  const kept: Uint8Array[] = []
  const keep = scratch.keep.bind(scratch)
  scratch.keep = (buffer) => {
    kept.push(buffer)
    return keep(buffer)
  }
  readPrivateKey(privateKeyInfo(algorithms.ec, sec1(scalar)), scratch)
  assert.ok(kept.some((buffer) => Buffer.from(buffer).includes(scalar)))
  scratch.wipe()
  assert.ok(kept.every((buffer) => buffer.every((octet) => octet === 0)))
})

/** The INTEGERs of RSAPrivateKey from the version on. */
function rsaFields(): readonly Element[] {
  return readDer(rsaKey.privateKey.export({ type: 'pkcs1', format: 'der' }), 'the key').children
}

function rsaNumbers(): readonly Uint8Array[] {
  return rsaFields().map(({ der }) => der)
}

function modulus(): Uint8Array {
  return rsaNumbers()[1] ?? new Uint8Array()
}

/** RSAPrivateKey with its `index`-th field replaced. */
function withNumber(
  index: number,
  number: Uint8Array,
  key = sequence(...rsaNumbers()),
): Uint8Array {
  const fields = readDer(key, 'the key').children.map((child) => child.der)
  return sequence(...fields.with(index, number))
}
