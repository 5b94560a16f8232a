import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 does not load without it
import 'reflect-metadata'
import * as peculiar from '@peculiar/x509'
import { hex } from '../../src/pki/bytes.ts'
import { sequence } from '../../src/pki/der_writer.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { algorithmsFor, type SignatureAlgorithmName } from '../../src/pki/signature_algorithms.ts'
import { issue } from './issue.ts'
import { type KeyType, keyOf } from './keys.ts'
import { type Ca, makeAuthority, makeCa } from './make_ca.ts'
import { dnsName, makeCsr, makeName, nameAttribute, rdn, subjectAltName } from './make_csr.ts'
import { opensslVerify } from './openssl.ts'

const caKeys: readonly (readonly [KeyType, readonly SignatureAlgorithmName[]])[] = [
  ['RSA 2048', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['RSA 3072', ['RS384', 'RS256', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['ECDSA P-256', ['ES256']],
  ['ECDSA P-384', ['ES384']],
  ['ECDSA P-521', ['ES512']],
  ['Ed25519', []],
]

describe('signature algorithms', () => {
  for (const [type, names] of caKeys) {
    test(`${type} CA keys sign with ${names.join(', ') || 'nothing'}, the default first`, () => {
      const { key } = makeCa({ key: keyOf(type, 'ca') }).certificate
      assert.deepEqual(
        algorithmsFor(key).map((algorithm) => algorithm.name),
        names,
      )
    })
  }
})

describe('an issued certificate', () => {
  for (const [type, names] of caKeys) {
    for (const name of names) {
      for (const subjectType of ['RSA 2048', 'ECDSA P-256', 'Ed25519'] as const) {
        test(`${name} by ${type} for ${subjectType} is accepted by OpenSSL, Node and peculiar`, () => {
          const root = makeCa({ key: keyOf(type, 'ca') })
          const csr = makeCsr({ key: keyOf(subjectType, 'subject') })
          const issued = issue({ csr, authority: makeAuthority(root, [], name) }, root.key)
          opensslVerify(issued)

          const certificate = new X509Certificate(issued.pem)
          assert.equal(certificate.subjectAltName, 'DNS:myapp.example.com')
          assert.ok(certificate.checkIssued(new X509Certificate(root.certificate.der)))
          assert.ok(certificate.verify(root.key.publicKey))

          const read = new peculiar.X509Certificate(issued.pem)
          assert.equal(
            hex(new Uint8Array(read.publicKey.rawData)),
            hex(keyOf(subjectType, 'subject').spki),
          )
          assert.deepEqual(
            Array.from(read.extensions, ({ type: id, critical }) => [id, critical]),
            [
              ['2.5.29.19', true],
              ['2.5.29.15', true],
              ['2.5.29.37', false],
              ['2.5.29.17', true],
              ['2.5.29.14', false],
              ['2.5.29.35', false],
            ],
          )
        })
      }
    }
  }

  test('carries its intermediates below the root, in order', () => {
    const root = makeCa({ name: 'Root' })
    const upper = makeCa({ name: 'Upper', issuer: root })
    const lower = makeCa({ name: 'Lower', issuer: upper, pathLength: 0 })
    const authority = makeAuthority(lower, [root, upper, lower, upper])
    const issued = issue({ csr: makeCsr(), authority }, lower.key)
    const above = [lower, upper].map((ca) => encodePem('CERTIFICATE', ca.certificate.der))
    assert.equal(issued.chainPem, issued.pem + above.join(''))
    assert.equal(issued.caPem, encodePem('CERTIFICATE', root.certificate.der))
    opensslVerify(issued)
  })

  const awkwardNames = {
    'UTF-8': makeName({ '2.5.4.3': 'Lab CA ü' }),
    'T61, BMP and IA5 strings': sequence(
      rdn(nameAttribute('2.5.4.6', 'DE', 0x13)),
      rdn(nameAttribute('2.5.4.10', 'T61 Örg', 0x14)),
      rdn(nameAttribute('2.5.4.3', '\0B\0M\0P', 0x1e)),
      rdn(nameAttribute('0.9.2342.19200300.100.1.25', 'example', 0x16)),
    ),
    'an RDN of two attributes': sequence(
      rdn(nameAttribute('2.5.4.3', 'A'), nameAttribute('2.5.4.11', 'B')),
    ),
    'double spaces and an empty value': sequence(
      rdn(nameAttribute('2.5.4.10', '  two  spaces ', 0x13)),
      rdn(nameAttribute('2.5.4.11', '')),
      rdn(nameAttribute('2.5.4.3', 'CA', 0x13)),
    ),
  }
  for (const [title, subject] of Object.entries(awkwardNames)) {
    test(`has its issuer byte for byte: ${title}`, () => {
      const root = makeCa({ subject, key: keyOf('ECDSA P-256', 'ca') })
      const issued = issue({ csr: makeCsr(), authority: makeAuthority(root) }, root.key)
      assert.equal(hex(issued.certificate.issuer), hex(subject))
      opensslVerify(issued)
    })
  }

  test('has its subject and alternative names byte for byte', () => {
    const root: Ca = makeCa({})
    const subject = sequence(
      rdn(nameAttribute('2.5.4.10', 'T61 Örg', 0x14)),
      rdn(nameAttribute('2.5.4.3', 'myapp', 0x13)),
    )
    const names = subjectAltName(dnsName('MyApp.example.com'), dnsName('*.example.com'))
    const csr = makeCsr({ subject, extensions: [names] })
    const { certificate } = issue({ csr, authority: makeAuthority(root) }, root.key)
    const altName = certificate.extensions.all.find((one) => one.oid === '2.5.29.17')
    assert.equal(hex(certificate.subject), hex(subject))
    assert.equal(hex(altName?.der ?? new Uint8Array()), hex(names))
  })
})
