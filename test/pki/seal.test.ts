import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkAgrees } from '../../src/pki/agreement.ts'
import { hex } from '../../src/pki/bytes.ts'
import { parsed } from '../../src/pki/refusal.ts'
import { seal } from '../../src/pki/seal.ts'
import {
  algorithmsFor,
  signatureAlgorithm,
  signatureAlgorithms,
  verifyRaw,
} from '../../src/pki/signature_algorithms.ts'
import {
  assembleCertificate,
  encodeBody,
  encodeTbs,
  type TbsCertificate,
} from '../../src/pki/tbs.ts'
import type { CertificateContents } from '../../src/pki/template.ts'
import { decideFor, issue } from './issue.ts'
import { type KeyPair, keyOf, vaultSign } from './keys.ts'
import { makeAuthority, makeCa } from './make_ca.ts'
import { makeCsr } from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

const ec = makeCa({ name: 'EC Root' })
const rsa = makeCa({ name: 'RSA Root', key: keyOf('RSA 2048') })

function tbsOf(ca: typeof ec): TbsCertificate {
  return encodeTbs(accepted(decideFor({ csr: makeCsr(), authority: makeAuthority(ca) })))
}

function unsigned(contents: CertificateContents): Uint8Array {
  const { algorithm } = contents.authority
  return assembleCertificate(encodeBody(contents), algorithm, new Uint8Array(1))
}

function signedBy(key: KeyPair, tbs: TbsCertificate): Uint8Array {
  return vaultSign(key, tbs.algorithm, tbs.der)
}

describe('a signature of Key Vault is refused', () => {
  const tbs = tbsOf(ec)
  const raw = signedBy(ec.key, tbs)
  const zeros = new Uint8Array(32)
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)]
  const order = Buffer.from(
    'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    'hex',
  )

  test('by another key', () => {
    const other = signedBy(keyOf('ECDSA P-256', 'other'), tbs)
    assertRefused(seal(tbs, other), 'signature-wrong-key', /EC Root.*version/)
  })
  test('over other octets', () => {
    assertRefused(
      seal(tbs, vaultSign(ec.key, tbs.algorithm, new Uint8Array(3))),
      'signature-wrong-key',
    )
  })
  test('with PSS where PKCS #1 was asked for', () => {
    const rsaTbs = tbsOf(rsa)
    const pss = vaultSign(rsa.key, signatureAlgorithms.PS256, rsaTbs.der)
    assertRefused(seal(rsaTbs, pss), 'signature-wrong-key', /RS256/)
  })
  test('with another hash', () => {
    const rsaTbs = tbsOf(rsa)
    const sha512 = vaultSign(rsa.key, signatureAlgorithms.RS512, rsaTbs.der)
    assertRefused(seal(rsaTbs, sha512), 'signature-wrong-key')
  })
  test('of 63 octets', () =>
    assertRefused(seal(tbs, raw.subarray(1)), 'signature-length', /63.*64/))
  test('of no octets', () => assertRefused(seal(tbs, new Uint8Array()), 'signature-length'))
  test('by a longer RSA key', () => {
    const longer = signedBy(keyOf('RSA 3072'), tbsOf(rsa))
    assertRefused(seal(tbsOf(rsa), longer), 'signature-length', /384.*256/)
  })
  test('with r = 0', () =>
    assertRefused(seal(tbs, Uint8Array.of(...zeros, ...s)), 'signature-range'))
  test('with s = 0', () =>
    assertRefused(seal(tbs, Uint8Array.of(...r, ...zeros)), 'signature-range'))
  test('with s = the order of the group', () => {
    assertRefused(seal(tbs, Uint8Array.of(...r, ...order)), 'signature-range')
  })
})

describe('a certificate that is not what was decided is refused', () => {
  const csr = makeCsr()
  const decision = accepted(decideFor({ csr, authority: makeAuthority(ec) }))
  const changes: Readonly<Record<string, Partial<typeof decision>>> = {
    serialNumber: { serialNumber: new Uint8Array(16).fill(7) },
    notBefore: { notBefore: decision.notBefore - 1000 },
    notAfter: { notAfter: decision.notAfter + 1000 },
    subject: { subject: ec.certificate.subject },
    subjectPublicKeyInfo: { key: rsa.certificate.key },
    keyUsage: { keyUsage: 1 << 5 },
    extKeyUsage: { purposes: [] },
    subjectAltName: { subjectAltName: undefined },
    subjectKeyIdentifier: { subjectKeyIdentifier: new Uint8Array(20) },
    authorityKeyIdentifier: { authorityKeyIdentifier: new Uint8Array(20) },
  }
  for (const [field, change] of Object.entries(changes)) {
    test(`in ${field}: certificate-differs`, () => {
      const outcome = parsed(() => checkAgrees(unsigned({ ...decision, ...change }), decision))
      assertRefused(outcome, 'certificate-differs', new RegExp(`: .*${field}`))
    })
  }

  test('in the octets that were signed: certificate-differs', () => {
    const serialBytes = new Uint8Array(16).fill(7)
    const other = accepted(decideFor({ csr, authority: decision.authority, serialBytes }))
    const tbs = { ...encodeTbs(other), decision }
    const outcome = seal(tbs, signedBy(ec.key, tbs))
    assertRefused(outcome, 'certificate-differs', /signed octets/)
  })
})

describe('a certificate that a lint finds fault with is refused', () => {
  const good = accepted(decideFor({ csr: makeCsr(), authority: makeAuthority(ec) }))
  const faults: Readonly<Record<string, Partial<typeof good>>> = {
    e_ext_key_usage_cert_sign_without_ca: { keyUsage: 1 << 5 },
    e_serial_number_low_entropy: { serialNumber: Uint8Array.of(1) },
    e_subject_empty_without_san: { subjectAltName: undefined },
  }
  for (const [name, fault] of Object.entries(faults)) {
    test(`${name}: lint`, () => {
      const contents = { ...good, ...fault }
      const outcome = parsed(() => checkAgrees(unsigned(contents), contents))
      assertRefused(outcome, 'lint', new RegExp(name))
    })
  }
})

describe('ECDSA signatures', () => {
  test('become DER whatever the leading octets of r and s are', () => {
    // About every second r or s needs a 00 in front, and one in 256 begins with 00.
    const authority = makeAuthority(ec)
    for (let n = 0; n < 120; n += 1) issue({ csr: makeCsr(), authority }, ec.key)
  })
})

describe('the table of signature algorithms', () => {
  test('has each AlgorithmIdentifier as RFC 4055 and RFC 5758 write it', () => {
    assert.deepEqual(
      Object.values(signatureAlgorithms).map(({ name, identifier }) => [name, hex(identifier)]),
      [
        ['ES256', '300a06082a8648ce3d040302'],
        ['ES384', '300a06082a8648ce3d040303'],
        ['ES512', '300a06082a8648ce3d040304'],
        ['RS256', '300d06092a864886f70d01010b0500'],
        ['RS384', '300d06092a864886f70d01010c0500'],
        ['RS512', '300d06092a864886f70d01010d0500'],
        [
          'PS256',
          '304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c30' +
            '1a06092a864886f70d010108300d06096086480165030402010500a203020120',
        ],
        [
          'PS384',
          '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c30' +
            '1a06092a864886f70d010108300d06096086480165030402020500a203020130',
        ],
        [
          'PS512',
          '304106092a864886f70d01010a3034a00f300d06096086480165030402030500a11c30' +
            '1a06092a864886f70d010108300d06096086480165030402030500a203020140',
        ],
      ],
    )
  })

  for (const name of ['ES256K', 'RS1', 'none', '__proto__', 'constructor', 'es256', '']) {
    test(`has no ${JSON.stringify(name)}`, () => assert.equal(signatureAlgorithm(name), undefined))
  }
})

describe('a test signature', () => {
  const data = Buffer.from('are you the key?')
  for (const type of ['RSA 2048', 'ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521'] as const) {
    test(`of ${type} is verified with each algorithm, and only with the right key`, () => {
      const key = keyOf(type, 'probe')
      const other = keyOf(type, 'other')
      for (const algorithm of algorithmsFor(makeCa({ key }).certificate.key)) {
        const raw = vaultSign(key, algorithm, data)
        assert.ok(verifyRaw(algorithm, key.publicKey, data, raw))
        assert.ok(!verifyRaw(algorithm, other.publicKey, data, raw))
        assert.ok(!verifyRaw(algorithm, keyOf('Ed25519').publicKey, data, raw))
        assert.ok(!verifyRaw(algorithm, key.publicKey, data, raw.subarray(1)))
      }
    })
  }
})
