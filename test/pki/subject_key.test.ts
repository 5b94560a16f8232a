import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { unsigned } from '../../src/pki/bytes.ts'
import {
  bitString,
  derNull,
  objectIdentifier,
  sequence,
  tagged,
  unsignedInteger,
} from '../../src/pki/der_writer.ts'
import { oid } from '../../src/pki/oids.ts'
import { type Parsed, parsed, type Rule } from '../../src/pki/refusal.ts'
import { checkKeyStrength } from '../../src/pki/rsa_strength.ts'
import {
  describeKey,
  keyIdentifier,
  parseSubjectKey,
  type RsaKey,
  type SubjectKey,
} from '../../src/pki/subject_key.ts'
import { type KeyPair, type KeyType, keyOf } from './keys.ts'
import { accepted, assertRefused } from './outcomes.ts'

describe('a subject key is taken', () => {
  const types: readonly KeyType[] = [
    'RSA 2048',
    'RSA 3072',
    'ECDSA P-256',
    'ECDSA P-384',
    'ECDSA P-521',
    'Ed25519',
  ]
  for (const type of types) {
    test(type, () => {
      const { spki } = keyOf(type)
      const key = accepted(parseSubjectKey(spki))
      assert.equal(describeKey(key), type)
      assert.deepEqual(key.spki, spki)
      accepted(parsed(() => checkKeyStrength(key)))
    })
  }

  test('and its identifier is the SHA-1 of subjectPublicKey without the unused-bits octet', () => {
    const { spki } = keyOf('Ed25519')
    const expected = createHash('sha1').update(spki.subarray(-32)).digest()
    const key = accepted(parseSubjectKey(spki))
    assert.deepEqual(keyIdentifier(key), new Uint8Array(expected))
  })
})

const rsaAlgorithm = sequence(objectIdentifier(oid.rsaEncryption), derNull)
const modulus = 2n ** 2047n + 1n

function rsaSpki(n: bigint, e: bigint, algorithm = rsaAlgorithm): Uint8Array {
  return sequence(algorithm, bitString(sequence(integer(n), integer(e))))
}

function integer(value: bigint): Uint8Array {
  const digits = value.toString(16)
  return unsignedInteger(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'))
}

function ecSpki(parameters: Uint8Array, point: Uint8Array): Uint8Array {
  return sequence(sequence(objectIdentifier(oid.ecPublicKey), parameters), bitString(point))
}

/** The point of a key: 04, x, y. */
function pointOf({ spki }: KeyPair): Uint8Array {
  return spki.subarray(-65)
}

describe('a subject key is refused', () => {
  const p256 = objectIdentifier(oid.p256)
  const point = pointOf(keyOf('ECDSA P-256'))
  const compressed = Uint8Array.of(2 + ((point[64] ?? 0) & 1), ...point.subarray(1, 33))
  const offCurve = Uint8Array.from(point)
  offCurve[64] = (offCurve[64] ?? 0) ^ 1
  const hugeX = Uint8Array.of(4, ...new Uint8Array(32).fill(0xff), ...point.subarray(33))
  const explicitCurve = sequence(unsignedInteger(Uint8Array.of(1)), sequence())
  const ed25519 = keyOf('Ed25519').spki

  const cases: readonly (readonly [string, Rule, Uint8Array])[] = [
    ['RSA of 1024 bits', 'key-size', rsaSpki(2n ** 1023n + 1n, 65_537n)],
    ['RSA of 2047 bits', 'key-size', rsaSpki(2n ** 2046n + 1n, 65_537n)],
    ['RSA of 2049 bits', 'key-size', rsaSpki(2n ** 2048n + 1n, 65_537n)],
    ['RSA of 16384 bits', 'key-size', rsaSpki(2n ** 16_383n + 1n, 65_537n)],
    ['RSA with an even modulus', 'key-weak', rsaSpki(modulus + 1n, 65_537n)],
    ['RSA with exponent 1', 'key-exponent', rsaSpki(modulus, 1n)],
    ['RSA with exponent 3', 'key-exponent', rsaSpki(modulus, 3n)],
    ['RSA with exponent 65536', 'key-exponent', rsaSpki(modulus, 65_536n)],
    ['RSA with an even exponent', 'key-exponent', rsaSpki(modulus, 65_538n)],
    ['RSA with exponent 2^32 + 1', 'key-exponent', rsaSpki(modulus, 2n ** 32n + 1n)],
    ['RSA with an exponent of the modulus’ size', 'key-exponent', rsaSpki(modulus, modulus - 2n)],
    [
      'RSA without NULL',
      'structure',
      rsaSpki(modulus, 65_537n, sequence(objectIdentifier(oid.rsaEncryption))),
    ],
    [
      'RSA bound to RSASSA-PSS',
      'key-unsupported',
      rsaSpki(modulus, 65_537n, sequence(objectIdentifier(oid.rsassaPss))),
    ],
    [
      'RSA with a negative modulus',
      'key-encoding',
      sequence(rsaAlgorithm, bitString(sequence(tagged(2, Uint8Array.of(0x80)), integer(3n)))),
    ],
    [
      'RSA with a padded modulus',
      'der-malformed',
      sequence(rsaAlgorithm, bitString(sequence(tagged(2, Uint8Array.of(0, 1)), integer(3n)))),
    ],
    [
      'RSA with a third number',
      'structure',
      sequence(rsaAlgorithm, bitString(sequence(integer(modulus), integer(65_537n), integer(1n)))),
    ],
    // Node 20 and 22 abort on this one (native assertion) when it reaches createPublicKey.
    ['EC at infinity', 'key-encoding', ecSpki(p256, Uint8Array.of(0))],
    ['an EC point in compressed form', 'key-encoding', ecSpki(p256, compressed)],
    [
      'an EC point of another curve’s length',
      'key-encoding',
      ecSpki(objectIdentifier(oid.p384), point),
    ],
    ['an EC point off the curve', 'key-point', ecSpki(p256, offCurve)],
    ['an EC coordinate above the field', 'key-point', ecSpki(p256, hugeX)],
    ['an EC point of zeros', 'key-point', ecSpki(p256, Uint8Array.of(4, ...new Uint8Array(64)))],
    ['EC with explicit parameters', 'key-unsupported', ecSpki(explicitCurve, point)],
    [
      'EC without parameters',
      'structure',
      sequence(sequence(objectIdentifier(oid.ecPublicKey)), bitString(point)),
    ],
    ['secp256k1', 'key-unsupported', keyOf('secp256k1').spki],
    ['P-224', 'key-unsupported', ecSpki(objectIdentifier('1.3.132.0.33'), point)],
    [
      'Ed25519 with NULL',
      'structure',
      sequence(sequence(objectIdentifier(oid.ed25519), derNull), bitString(ed25519.subarray(-32))),
    ],
    [
      'Ed25519 of 31 octets',
      'key-encoding',
      sequence(sequence(objectIdentifier(oid.ed25519)), bitString(ed25519.subarray(-31))),
    ],
    [
      'Ed448',
      'key-unsupported',
      sequence(sequence(objectIdentifier('1.3.101.113')), bitString(new Uint8Array(57))),
    ],
    [
      'X25519',
      'key-unsupported',
      sequence(sequence(objectIdentifier('1.3.101.110')), bitString(new Uint8Array(32))),
    ],
    [
      'DSA',
      'key-unsupported',
      sequence(sequence(objectIdentifier('1.2.840.10040.4.1')), bitString(integer(5n))),
    ],
    ['octets behind it', 'der-malformed', Uint8Array.of(...ed25519, 0)],
    [
      'unused bits',
      'structure',
      sequence(sequence(objectIdentifier(oid.ed25519)), bitString(new Uint8Array(33), 1)),
    ],
  ]
  for (const [title, rule, spki] of cases) {
    test(`${title}: ${rule}`, () => assertRefused(parseSubjectKey(spki), rule))
  }
})

describe('a weak RSA key is refused', () => {
  test('with a factor below 752', () => {
    assertRefused(strengthOf(751n * (2n ** 2040n + 1n)), 'key-weak', /divisible by/)
  })

  test('with factors so close that Fermat finds them', () => {
    const p = withoutSmallFactors(2n ** 1024n - 2n ** 1000n + 1n)
    const q = withoutSmallFactors(p + 2n)
    assertRefused(strengthOf(p * q), 'key-weak', /Fermat/)
  })

  test('with one factor, squared', () => {
    const p = withoutSmallFactors(2n ** 1024n - 2n ** 1000n + 1n)
    assertRefused(strengthOf(p * p), 'key-weak', /Fermat/)
  })

  test('with the ROCA fingerprint', () => {
    // Both factors are powers of 65537 modulo each prime the fingerprint looks at.
    const product = [...oddNumbers(168)].reduce((all, p) => lcm(all, p))
    const p = 2n ** 700n * product + 65_537n ** 5n
    const q = 2n ** 800n * product + 65_537n ** 7n
    assertRefused(strengthOf(p * q), 'key-weak', /ROCA/)
  })

  test('but not a key of OpenSSL', () => {
    for (let n = 0; n < 3; n += 1) {
      const key = accepted(parseSubjectKey(keyOf('RSA 2048', `strong ${n}`).spki))
      accepted(parsed(() => checkKeyStrength(key)))
    }
  })
})

/** The next odd number from `n` on that no odd number below 752 divides. */
function withoutSmallFactors(n: bigint): bigint {
  let candidate = n
  while ([...oddNumbers(752)].some((p) => candidate % p === 0n)) candidate += 2n
  return candidate
}

function* oddNumbers(limit: number): Generator<bigint> {
  for (let n = 3; n < limit; n += 2) yield BigInt(n)
}

function lcm(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b]
  while (y !== 0n) [x, y] = [y, x % y]
  return (a / x) * b
}

function strengthOf(n: bigint): Parsed<void> {
  const template = accepted(parseSubjectKey(keyOf('RSA 2048').spki))
  assert.ok(isRsa(template))
  assert.equal(template.modulus, unsigned(template.keyOctets.subarray(9, 9 + 256)))
  return parsed(() => checkKeyStrength({ ...template, modulus: n }))
}

function isRsa(key: SubjectKey): key is RsaKey {
  return key.kind === 'rsa'
}
