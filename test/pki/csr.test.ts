import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseCsr } from '../../src/pki/csr.ts'
import {
  bitString,
  derNull,
  objectIdentifier,
  octetString,
  sequence,
  tagged,
} from '../../src/pki/der_writer.ts'
import { oid } from '../../src/pki/oids.ts'
import { encodePem } from '../../src/pki/pem.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import {
  pssIdentifier,
  type SignatureAlgorithm,
  signatureAlgorithms,
} from '../../src/pki/signature_algorithms.ts'
import { keyOf, x509Signature } from './keys.ts'
import {
  attribute,
  type CsrParts,
  dnsName,
  extension,
  extensionRequest,
  makeCsr,
  makeCsrDer,
  makeName,
  subjectAltName,
} from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

const rsa = keyOf('RSA 2048', 'subject')
const p256 = keyOf('ECDSA P-256', 'subject')
const san = subjectAltName(dnsName('myapp.example.com'))
const { RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 } = signatureAlgorithms

function request(der: Uint8Array): string {
  return encodePem('CERTIFICATE REQUEST', der)
}

describe('a CSR is read', () => {
  test('with its subject, key, names and usages', () => {
    const subject = makeName({ '2.5.4.10': 'Team', '2.5.4.3': 'myapp' })
    const usage = extension(oid.keyUsage, Uint8Array.of(3, 2, 5, 0xa0), true)
    const purposes = extension(oid.extKeyUsage, sequence(objectIdentifier(oid.serverAuth)))
    const csr = accepted(parseCsr(makeCsr({ subject, extensions: [san, usage, purposes] })))
    assert.deepEqual(csr.subject, subject)
    assert.deepEqual(csr.key.spki, p256.spki)
    assert.deepEqual(csr.extensions.subjectAltName, [{ kind: 'dns', value: 'myapp.example.com' }])
    assert.equal(csr.extensions.keyUsage, 0b101)
    assert.deepEqual(csr.extensions.extendedKeyUsage, [oid.serverAuth])
    assert.deepEqual(csr.droppedExtensions, [])
  })

  const readable: Readonly<Record<string, string>> = {
    'under the label NEW CERTIFICATE REQUEST': makeCsr().replaceAll(
      'CERTIFICATE REQUEST',
      'NEW CERTIFICATE REQUEST',
    ),
    'with CRLF line ends': makeCsr().replaceAll('\n', '\r\n'),
    'without attributes': makeCsr({ attributes: [], subject: makeName({ '2.5.4.3': 'a' }) }),
    'with a challengePassword beside the names': makeCsr({
      attributes: [
        attribute('1.2.840.113549.1.9.7', tagged(0x0c, Buffer.from('secret'))),
        extensionRequest(san),
      ],
    }),
    'with Microsoft’s extension request': makeCsr({
      attributes: [attribute(oid.microsoftExtensionRequest, sequence(san))],
    }),
    'with an RSA signature without NULL': makeCsr({
      key: rsa,
      signature: {
        ...x509Signature(rsa, RS256),
        identifier: sequence(objectIdentifier(oid.sha256WithRsa)),
      },
    }),
    'with PSS hashes without NULL': makeCsr({
      key: rsa,
      signature: {
        ...x509Signature(rsa, PS384),
        identifier: pssIdentifier(oid.sha384, 48, [false, false]),
      },
    }),
  }
  for (const [title, pem] of Object.entries(readable)) {
    test(title, () => void accepted(parseCsr(pem)))
  }

  const signatures: readonly (readonly [SignatureAlgorithm, typeof rsa])[] = [
    ...[RS256, RS384, RS512, PS256, PS384, PS512].map((one) => [one, rsa] as const),
    [ES256, p256],
    [ES384, p256],
    [ES256, keyOf('ECDSA P-384')],
    [ES384, keyOf('ECDSA P-384')],
    [ES512, keyOf('ECDSA P-521')],
  ]
  for (const [algorithm, key] of signatures) {
    test(`signed with ${algorithm.hash} by ${algorithm.scheme}`, () => {
      accepted(parseCsr(makeCsr({ key, signature: x509Signature(key, algorithm) })))
    })
  }

  test('with Ed25519', () => void accepted(parseCsr(makeCsr({ key: keyOf('Ed25519') }))))

  test('and says which extensions will be left out', () => {
    const policies = extension('2.5.29.32', sequence(sequence(objectIdentifier('1.2.3'))))
    const csr = accepted(parseCsr(makeCsr({ extensions: [san, policies] })))
    assert.deepEqual(csr.droppedExtensions, ['2.5.29.32'])
  })
})

describe('a CSR is refused', () => {
  const pem = makeCsr()
  const body = pem.split('\n').slice(1, -2).join('\n')
  const cases: readonly (readonly [string, Rule, string])[] = [
    ['an empty text', 'pem-malformed', ''],
    ['DER without PEM', 'pem-malformed', body],
    ['two blocks', 'pem-malformed', pem + pem],
    ['text before the block', 'pem-malformed', `Certificate Request:\n${pem}`],
    ['text after the block', 'pem-malformed', `${pem}x\n`],
    ['no end line', 'pem-malformed', pem.replace('-----END CERTIFICATE REQUEST-----', '')],
    [
      'another end line',
      'pem-malformed',
      pem.replace('END CERTIFICATE REQUEST', 'END CERTIFICATE'),
    ],
    ['a body that is not base64', 'pem-malformed', pem.replace(body, `!${body.slice(1)}`)],
    ['an empty body', 'pem-malformed', pem.replace(body, '')],
    ['a certificate', 'pem-label', pem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
    ['a private key', 'pem-private-key', pem.replaceAll('CERTIFICATE REQUEST', 'PRIVATE KEY')],
    ['40 kB', 'pem-too-large', ' '.repeat(40_000)],
    ['an octet after the value', 'der-malformed', request(Uint8Array.of(...makeCsrDer(), 0))],
    ['a missing octet', 'der-malformed', request(makeCsrDer().subarray(0, -1))],
    ['version 1', 'version', makeCsr({ version: 1 })],
    ['fields after the signature', 'structure', request(sequence(makeCsrDer(), derNull, derNull))],
    ...signatureCases(),
  ]
  for (const [title, rule, text] of cases) {
    test(`for ${title}: ${rule}`, () => assertRefused(parseCsr(text), rule))
  }

  test('for base64 with set padding bits: pem-malformed', () => {
    // Two texts for one request; "QQ==" and "QR==" decode to the same octet.
    const text = '-----BEGIN CERTIFICATE REQUEST-----\nQR==\n-----END CERTIFICATE REQUEST-----\n'
    assertRefused(parseCsr(text), 'pem-malformed', /canonical/)
  })

  const parts: readonly (readonly [string, Rule, CsrParts])[] = [
    [
      'two extension requests',
      'extension-request-duplicate',
      { attributes: [extensionRequest(san), extensionRequest(san)] },
    ],
    [
      'one of each kind of extension request',
      'extension-request-duplicate',
      {
        attributes: [
          extensionRequest(san),
          attribute(oid.microsoftExtensionRequest, sequence(san)),
        ],
      },
    ],
    [
      'an extension request of two values',
      'extension-request-duplicate',
      { attributes: [attribute(oid.extensionRequest, sequence(san), sequence(san))] },
    ],
    [
      'an extension request without value',
      'extension-request-duplicate',
      { attributes: [attribute(oid.extensionRequest)] },
    ],
    ['an extension twice', 'extension-duplicate', { extensions: [san, san] }],
    ['an empty list of extensions', 'extension-malformed', { extensions: [] }],
    [
      'a critical extension nobody knows',
      'extension-critical-unknown',
      { extensions: [san, extension('1.2.3.4', derNull, true)] },
    ],
    [
      'critical FALSE spelled out',
      'der-malformed',
      {
        extensions: [
          sequence(objectIdentifier('1.2.3'), Uint8Array.of(1, 1, 0), octetString(derNull)),
        ],
      },
    ],
    ['octets after an extension’s value', 'der-malformed', { extensions: [trailing()] }],
    [
      'a path length without cA',
      'extension-malformed',
      { extensions: [extension(oid.basicConstraints, sequence(Uint8Array.of(2, 1, 0)))] },
    ],
    [
      'a key usage without bits',
      'extension-malformed',
      { extensions: [extension(oid.keyUsage, bitString(new Uint8Array()))] },
    ],
    [
      'no key purpose',
      'extension-malformed',
      { extensions: [extension(oid.extKeyUsage, sequence())] },
    ],
  ]
  for (const [title, rule, csr] of parts) {
    test(`for ${title}: ${rule}`, () => assertRefused(parseCsr(makeCsr(csr)), rule))
  }
})

function signatureCases(): readonly (readonly [string, Rule, string])[] {
  const der = makeCsrDer()
  const flipped = Uint8Array.from(der)
  const last = flipped.length - 1
  flipped[last] = (flipped[last] ?? 0) ^ 1
  const sha1 = { ...x509Signature(rsa, RS256), identifier: rsaIdentifier('1.2.840.113549.1.1.5') }
  const md5 = { ...x509Signature(rsa, RS256), identifier: rsaIdentifier('1.2.840.113549.1.1.4') }
  const longSalt = { ...x509Signature(rsa, PS256), identifier: pssIdentifier(oid.sha256, 222) }
  const otherHash = { ...x509Signature(rsa, RS256), identifier: RS512.identifier }
  return [
    ['a signature with a flipped bit', 'signature-invalid', request(flipped)],
    [
      'a signature by another key',
      'signature-invalid',
      makeCsr({ spki: keyOf('ECDSA P-256', 'other').spki }),
    ],
    ['an ECDSA signature for an RSA key', 'signature-invalid', makeCsr({ spki: rsa.spki })],
    [
      'a hash that is not the named one',
      'signature-invalid',
      makeCsr({ key: rsa, signature: otherHash }),
    ],
    ['SHA-1', 'algorithm-unsupported', makeCsr({ key: rsa, signature: sha1 })],
    ['MD5', 'algorithm-unsupported', makeCsr({ key: rsa, signature: md5 })],
    [
      'a PSS salt that is not the digest’s length',
      'algorithm-unsupported',
      makeCsr({ key: rsa, signature: longSalt }),
    ],
    [
      'ECDSA with NULL parameters',
      'algorithm-unsupported',
      makeCsr({
        signature: {
          ...x509Signature(p256, ES256),
          identifier: sequence(objectIdentifier(oid.ecdsaWithSha256), derNull),
        },
      }),
    ],
  ]
}

function rsaIdentifier(id: string): Uint8Array {
  return sequence(objectIdentifier(id), derNull)
}

function trailing(): Uint8Array {
  const value = Uint8Array.of(...sequence(dnsName('a.example.com')), 0x05, 0x00)
  return extension(oid.subjectAltName, value)
}
