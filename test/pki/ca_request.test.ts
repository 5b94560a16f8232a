import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { derTrue, sequence } from '../../src/pki/der_writer.ts'
import { noInformationUrls, parseInformationUrls } from '../../src/pki/information_urls.ts'
import { keyUsage } from '../../src/pki/key_usage.ts'
import { nameText } from '../../src/pki/names.ts'
import { oid } from '../../src/pki/oids.ts'
import { type Ask, decideFor, issue } from './issue.ts'
import { keyOf } from './keys.ts'
import { type Ca, makeAuthority, makeCa } from './make_ca.ts'
import { dnsName, extension, makeCsr, makeName, subjectAltName } from './make_csr.ts'
import { opensslVerify } from './openssl.ts'
import { accepted, assertRefused } from './outcomes.ts'

const root = makeCa({ name: 'Root' })
const csr = makeCsr({ subject: makeName({ '2.5.4.3': 'istio-ca' }), attributes: [] })

function decideCa(ca: Ca, above: readonly Ca[] = [], ask: Partial<Ask> = {}) {
  return decideFor({
    csr,
    authority: makeAuthority(ca, above),
    request: { isCA: true, usages: [] },
    limits: { ca: { maxPathLength: 1 } },
    ...ask,
  })
}

describe('an intermediate CA', () => {
  test('has the usages of CAs and nothing else', () => {
    const decision = accepted(decideCa(root))
    assert.equal(decision.keyUsage, keyUsage.keyCertSign | keyUsage.digitalSignature)
    assert.deepEqual(decision.basicConstraints, { ca: true, pathLength: 1 })
    assert.deepEqual(decision.notes, ['usage [key encipherment] is not for CAs and was left out'])
  })

  test('may come from a CSR that says CA:TRUE', () => {
    const constraints = extension(oid.basicConstraints, sequence(derTrue), true)
    const asked = makeCsr({ subject: makeName({ '2.5.4.3': 'x' }), extensions: [constraints] })
    accepted(decideCa(root, [], { csr: asked }))
  })

  const limited = makeCa({ name: 'Limited', pathLength: 1 })
  const wide = makeCa({ name: 'Wide', issuer: limited, pathLength: 7 })
  const rooms: readonly (readonly [string, number, () => ReturnType<typeof decideCa>])[] = [
    ['the limit of the issuer', 1, () => decideCa(root)],
    ['one less than the CA has', 0, () => decideCa(limited)],
  ]
  for (const [title, pathLength, decide] of rooms) {
    test(`has as path length ${title}`, () => {
      assert.equal(accepted(decide()).basicConstraints.pathLength, pathLength)
    })
  }

  test('is refused where the path length of a CA further up is used up: ca-path-length', () => {
    assertRefused(decideCa(wide, [limited]), 'ca-path-length', /CN=Wide/)
  })
  test('is named by its first DNS name where the CSR has no subject', () => {
    const names = subjectAltName(dnsName('*.example.com'), dnsName('ca.example.com'))
    const decision = accepted(decideCa(root, [], { csr: makeCsr({ extensions: [names] }) }))
    assert.equal(nameText(decision.subject), 'CN=ca.example.com')
    assert.equal(decision.subjectAltName?.critical, false)
    assert.match(decision.notes.join(), /the CSR has none, so it was named CN=ca.example.com/)
  })
  for (const name of ['*.example.com', `${'a'.repeat(53)}.example.com`]) {
    test(`is refused without a subject where ${name} is its only name: ca-subject`, () => {
      const nameless = makeCsr({ extensions: [subjectAltName(dnsName(name))] })
      assertRefused(decideCa(root, [], { csr: nameless }), 'ca-subject', /commonName/)
    })
  }
  test('is refused under the name of a CA above: ca-subject', () => {
    const namesake = makeCsr({ subject: root.certificate.subject, attributes: [] })
    assertRefused(decideCa(root, [], { csr: namesake }), 'ca-subject', /CN=Root/)
  })
  test('is refused where the issuer does not make CAs: is-ca-refused', () => {
    assertRefused(decideCa(root, [], { limits: {} }), 'is-ca-refused')
  })

  test('issues certificates that OpenSSL accepts', () => {
    const key = keyOf('ECDSA P-256', 'intermediate')
    const intermediate = issue(
      {
        csr: makeCsr({ key, subject: makeName({ '2.5.4.3': 'istio-ca' }), attributes: [] }),
        authority: makeAuthority(root),
        request: { isCA: true, usages: ['cert sign', 'crl sign'] },
        limits: { ca: { maxPathLength: 0 } },
      },
      root.key,
    )
    const authority = makeAuthority({ certificate: intermediate.certificate, key }, [root])
    const leaf = issue({ csr: makeCsr(), authority }, key)
    opensslVerify(leaf)
  })
})

describe('information URLs', () => {
  test('stand in the certificate', () => {
    const urls = accepted(
      parseInformationUrls({
        crlDistributionPoints: ['http://crl.example.com/ca.crl'],
        ocspServers: ['http://ocsp.example.com'],
        issuingCertificateUrls: ['http://crt.example.com/ca.crt'],
      }),
    )
    const issued = issue({ csr: makeCsr(), authority: makeAuthority(root), urls }, root.key)
    const text = opensslVerify(issued)
    assert.match(
      text,
      /CRL Distribution Points: \n\s+Full Name:\n\s+URI:http:\/\/crl.example.com\/ca.crl/,
    )
    assert.match(text, /OCSP - URI:http:\/\/ocsp.example.com/)
    assert.match(text, /CA Issuers - URI:http:\/\/crt.example.com\/ca.crt/)
  })

  test('that are none leave no trace', () => {
    assert.deepEqual(accepted(parseInformationUrls({})), noInformationUrls)
  })

  for (const url of [
    'https://crl.example.com',
    'ldap://a',
    'crl.example.com',
    'http://',
    'http://a b',
    'http://ä.example',
    '',
  ]) {
    test(`like ${JSON.stringify(url)} are refused: information-url`, () => {
      assertRefused(parseInformationUrls({ ocspServers: [url] }), 'information-url')
    })
  }
})
