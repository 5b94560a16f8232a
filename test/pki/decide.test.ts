import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex } from '../../src/pki/bytes.ts'
import { sequence } from '../../src/pki/der_writer.ts'
import { encodeKeyUsage, type KeyUsage, keyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { keyIdentifier } from '../../src/pki/subject_key.ts'
import { timeText } from '../../src/pki/times.ts'
import { type Ask, decideFor, issue, serverUsages } from './issue.ts'
import { keyOf } from './keys.ts'
import { day, makeAuthority, makeCa, now } from './make_ca.ts'
import {
  dnsName,
  keyUsageExtension,
  makeCsr,
  makeName,
  purposesExtension,
  subjectAltName,
} from './make_csr.ts'
import { accepted } from './outcomes.ts'

const root = makeCa({ name: 'Root' })
const authority = makeAuthority(root)
const san = subjectAltName(dnsName('myapp.example.com'))
const rsaCsr = makeCsr({ key: keyOf('RSA 2048') })

function decideWith(ask: Partial<Ask> = {}) {
  return decideFor({ csr: makeCsr(), authority, ...ask })
}

describe('the serial number', () => {
  test('has 16 octets of which the first is 01 to 7f, whatever the random octets are', () => {
    for (let octet = 0; octet < 256; octet += 1) {
      const serialBytes = new Uint8Array(16).fill(octet)
      const { serialNumber } = accepted(decideWith({ serialBytes }))
      assert.equal(serialNumber.length, 16)
      assert.ok((serialNumber[0] ?? 0) >= 0x01 && (serialNumber[0] ?? 0) <= 0x7f)
      assert.deepEqual(serialNumber.subarray(1), serialBytes.subarray(1))
    }
  })

  test('is not made from too few octets', () => {
    assert.throws(() => decideWith({ serialBytes: new Uint8Array(8) }), TypeError)
  })
})

describe('the validity', () => {
  const cases: readonly (readonly [string, Partial<Ask>, string, string])[] = [
    ['is the default, moved back', {}, '2026-11-22T09:59:30Z', '2027-02-20T09:59:30Z'],
    [
      'is the duration asked for, to the second',
      { request: { durationMs: 3_600_000 } },
      '2026-11-22T09:59:30Z',
      '2026-11-22T10:59:30Z',
    ],
    [
      'is in whole seconds',
      { now: now + 999, request: { durationMs: 3_600_999 } },
      '2026-11-22T09:59:30Z',
      '2026-11-22T10:59:30Z',
    ],
    [
      'does not begin before the CA',
      { authority: makeAuthority(makeCa({ notBefore: now - 10_000 })) },
      '2026-11-22T09:59:50Z',
      '2027-02-20T09:59:50Z',
    ],
    [
      'does not outlast the CA',
      { authority: makeAuthority(makeCa({ notAfter: now + day })) },
      '2026-11-22T09:59:30Z',
      '2026-11-23T10:00:00Z',
    ],
    [
      'reaches into 2050',
      {
        now: Date.parse('2049-12-01T00:00:00Z'),
        authority: makeAuthority(makeCa({ notAfter: now + 20_000 * day })),
      },
      '2049-11-30T23:59:30Z',
      '2050-02-28T23:59:30Z',
    ],
  ]
  for (const [title, ask, notBefore, notAfter] of cases) {
    test(title, () => {
      const decision = accepted(decideWith(ask))
      assert.deepEqual([decision.notBefore, decision.notAfter].map(timeText), [notBefore, notAfter])
    })
  }

  test('does not outlast a CA further up, and the note says which', () => {
    const short = makeCa({ name: 'Short Root', notAfter: now + day })
    const long = makeCa({ name: 'Long', issuer: short })
    const decision = accepted(decideWith({ authority: makeAuthority(long, [short]) }))
    assert.equal(decision.notAfter, now + day)
    assert.match(decision.notes.join(), /2160h was shortened: the CA CN=Short Root expires at/)
  })
})

describe('the usages', () => {
  const cases: readonly (readonly [string, Partial<Ask>, KeyUsage, readonly string[], RegExp])[] = [
    [
      'of a server with an RSA key',
      { csr: rsaCsr },
      keyUsage.digitalSignature | keyUsage.keyEncipherment,
      [oid.serverAuth],
      /^$/,
    ],
    [
      'of a server with an EC key, without key encipherment',
      {},
      keyUsage.digitalSignature,
      [oid.serverAuth],
      /\[key encipherment\] is not for an end entity with an ECDSA P-256 key/,
    ],
    [
      'of a server with an Ed25519 key, without key encipherment',
      { csr: makeCsr({ key: keyOf('Ed25519') }) },
      keyUsage.digitalSignature,
      [oid.serverAuth],
      /Ed25519/,
    ],
    [
      'of an empty list are cert-manager’s default',
      { csr: rsaCsr, request: { usages: [] } },
      keyUsage.digitalSignature | keyUsage.keyEncipherment,
      [],
      /^$/,
    ],
    [
      'of purposes alone have no key usage',
      { request: { usages: ['server auth', 'client auth'] } },
      0,
      [oid.serverAuth, oid.clientAuth],
      /^$/,
    ],
    [
      'of a leaf, without CRL signing',
      { csr: rsaCsr, request: { usages: ['digital signature', 'crl sign'] } },
      keyUsage.digitalSignature,
      [],
      /\[crl sign\] is not for an end entity with an RSA 2048 key/,
    ],
    [
      'with two names for one thing',
      { request: { usages: ['signing', 'digital signature', 's/mime', 'email protection'] } },
      keyUsage.digitalSignature,
      [oid.emailProtection],
      /^$/,
    ],
    [
      'of key agreement with an EC key',
      { request: { usages: ['key agreement', 'decipher only'] } },
      keyUsage.keyAgreement | keyUsage.decipherOnly,
      [],
      /^$/,
    ],
  ]
  for (const [title, ask, bits, purposes, note] of cases) {
    test(title, () => {
      const decision = accepted(decideWith(ask))
      assert.deepEqual([decision.keyUsage, decision.purposes], [bits, purposes])
      assert.match(decision.notes.join(), note)
    })
  }

  test('stated in the CSR as cert-manager states them are taken', () => {
    const stated = [
      san,
      keyUsageExtension(keyUsage.digitalSignature | keyUsage.keyEncipherment),
      purposesExtension(oid.clientAuth, oid.serverAuth),
    ]
    const csr = makeCsr({ extensions: stated })
    const usages = [...serverUsages, 'client auth']
    accepted(decideWith({ csr, request: { usages } }))
  })

  const minimal: readonly (readonly [KeyUsage, string])[] = [
    [keyUsage.digitalSignature, '03020780'],
    [keyUsage.digitalSignature | keyUsage.keyEncipherment, '030205a0'],
    [keyUsage.keyCertSign | keyUsage.cRLSign, '03020106'],
    [keyUsage.encipherOnly, '03020001'],
    [keyUsage.decipherOnly, '0303070080'],
  ]
  for (const [bits, der] of minimal) {
    test(`are written without trailing zero bits: ${der}`, () => {
      assert.equal(hex(encodeKeyUsage(bits)), der)
    })
  }
})

describe('the key identifiers', () => {
  test('are the SHA-1 of the subject’s key and the CA’s own word for its key', () => {
    const own = Uint8Array.of(1, 2, 3)
    const ca = makeCa({ subjectKeyIdentifier: own })
    const decision = accepted(decideWith({ authority: makeAuthority(ca) }))
    assert.deepEqual(decision.subjectKeyIdentifier, keyIdentifier(decision.key))
    assert.deepEqual(decision.authorityKeyIdentifier, own)
  })

  test('are computed for a CA that has none', () => {
    const ca = makeCa({ subjectKeyIdentifier: undefined })
    const decision = accepted(decideWith({ authority: makeAuthority(ca) }))
    assert.deepEqual(decision.authorityKeyIdentifier, keyIdentifier(ca.certificate.key))
  })
})

describe('the alternative names', () => {
  test('are not critical beside a subject', () => {
    const csr = makeCsr({ subject: makeName({ '2.5.4.3': 'myapp' }) })
    assert.equal(accepted(decideWith({ csr })).subjectAltName?.critical, false)
  })

  test('are critical without a subject', () => {
    assert.equal(accepted(decideWith()).subjectAltName?.critical, true)
  })

  test('are critical beside a subject that has no value', () => {
    const decision = accepted(
      decideWith({ csr: makeCsr({ subject: makeName({ '2.5.4.10': '' }) }) }),
    )
    assert.deepEqual([decision.subject, decision.subjectAltName?.critical], [sequence(), true])
  })

  test('may be absent beside a subject', () => {
    const csr = makeCsr({ subject: makeName({ '2.5.4.3': 'me' }), attributes: [] })
    const { certificate } = issue({ csr, authority }, root.key)
    assert.equal(certificate.extensions.subjectAltName, undefined)
  })
})
