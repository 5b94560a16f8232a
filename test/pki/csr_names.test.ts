import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseCsr } from '../../src/pki/csr.ts'
import { explicit, implicit, objectIdentifier, sequence, tagged } from '../../src/pki/der_writer.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import {
  dnsName,
  emailName,
  ipName,
  makeCsr,
  makeName,
  nameAttribute,
  rdn,
  subjectAltName,
  uriName,
} from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

describe('an alternative name', () => {
  const label = 'a'.repeat(63)
  const taken: Readonly<Record<string, readonly Uint8Array[]>> = {
    'of one label': [dnsName('localhost')],
    'with a wildcard': [dnsName('*.example.com')],
    'in upper case': [dnsName('MyApp.Example.com')],
    'with a label of 63 characters': [dnsName(`${label}.example.com`)],
    'of 253 characters': [dnsName([label, label, label, 'a'.repeat(61)].join('.'))],
    'with an A-label': [dnsName('xn--mnchen-3ya.example.com')],
    'that is an IPv4 address': [ipName(10, 0, 0, 1)],
    'that is an IPv6 address': [ipName(0x20, 1, 13, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)],
    'that is a SPIFFE ID': [uriName('spiffe://cluster.local/ns/a/sa/b')],
    'that is an opaque URI': [uriName('urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6')],
    'that is an email address': [emailName('first.last+tag@example.com')],
    'that is an otherName': [
      tagged(
        0xa0,
        objectIdentifier('1.3.6.1.4.1.311.20.2.3'),
        explicit(0, tagged(0x0c, Buffer.from('u@d'))),
      ),
    ],
    'that is a directory name': [tagged(0xa4, makeName({ '2.5.4.3': 'a' }))],
    'that is a registered ID': [implicit(8, Uint8Array.of(0x2a, 3))],
    'that is a registered ID of 32 numbers': [implicit(8, new Uint8Array(31).fill(1))],
  }
  for (const [title, names] of Object.entries(taken)) {
    test(`${title} is taken`, () => {
      accepted(parseCsr(makeCsr({ extensions: [subjectAltName(...names)] })))
    })
  }

  const refused: readonly (readonly [string, Rule, readonly Uint8Array[]])[] = [
    ['no name at all', 'san-empty', []],
    ['an empty DNS name', 'san-dns', [dnsName('')]],
    ['a trailing dot', 'san-dns', [dnsName('a.example.com.')]],
    ['an empty label', 'san-dns', [dnsName('a..example.com')]],
    ['a leading dot', 'san-dns', [dnsName('.example.com')]],
    ['a label of 64 characters', 'san-dns', [dnsName(`${label}a.example.com`)]],
    ['254 characters', 'san-dns', [dnsName([label, label, label, 'a'.repeat(62)].join('.'))]],
    ['a bare wildcard', 'san-dns', [dnsName('*')]],
    ['a wildcard inside', 'san-dns', [dnsName('a.*.example.com')]],
    ['a partial wildcard', 'san-dns', [dnsName('a*.example.com')]],
    ['an underscore', 'san-dns', [dnsName('my_app.example.com')]],
    ['a leading hyphen', 'san-dns', [dnsName('-a.example.com')]],
    ['a space', 'san-dns', [dnsName('a b.example.com')]],
    ['a NUL', 'san-dns', [dnsName('a\0.example.com')]],
    ['a U-label', 'san-dns', [dnsName('münchen.example.com')]],
    ['an A-label that is none', 'san-dns', [dnsName('xn--a.example.com')]],
    ['an IP address as DNS name', 'san-dns', [dnsName('10.0.0.1')]],
    ['an IP address of 5 octets', 'san-ip', [ipName(1, 2, 3, 4, 5)]],
    [
      'an IPv4-mapped address',
      'san-ip',
      [ipName(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4)],
    ],
    ['a relative URI', 'san-uri', [uriName('//example.com/a')]],
    ['a URI without host', 'san-uri', [uriName('https:///a')]],
    ['a URI with nothing after the scheme', 'san-uri', [uriName('https:')]],
    ['a URI with a space', 'san-uri', [uriName('https://a b')]],
    ['a SPIFFE ID with a query', 'san-uri', [uriName('spiffe://td/a?b')]],
    ['a SPIFFE ID with a port', 'san-uri', [uriName('spiffe://td:80/a')]],
    ['a SPIFFE ID with user info', 'san-uri', [uriName('spiffe://u@td/a')]],
    ['a SPIFFE ID with an empty segment', 'san-uri', [uriName('spiffe://td//a')]],
    ['a SPIFFE ID with a dot segment', 'san-uri', [uriName('spiffe://td/../a')]],
    ['two SPIFFE IDs', 'san-uri', [uriName('spiffe://td/a'), uriName('spiffe://td/b')]],
    ['an email address without domain', 'san-email', [emailName('a')]],
    ['an email address with two @', 'san-email', [emailName('a@b@example.com')]],
    ['an email address with a name', 'san-email', [emailName('A <a@example.com>')]],
    [
      'a directory name with an empty attribute',
      'name-malformed',
      [tagged(0xa4, makeName({ '2.5.4.3': '' }))],
    ],
    [
      'a directory name of a CN too long',
      'name-too-long',
      [tagged(0xa4, makeName({ '2.5.4.3': 'a'.repeat(65) }))],
    ],
    ['a registered ID of two numbers', 'structure', [implicit(8, Uint8Array.of(0x2a))]],
    ['a registered ID of 33 numbers', 'structure', [implicit(8, new Uint8Array(32).fill(1))]],
    ['an x400Address', 'san-kind', [tagged(0xa3, sequence())]],
    ['an ediPartyName', 'san-kind', [tagged(0xa5, sequence())]],
    ['an otherName without value', 'structure', [tagged(0xa0, objectIdentifier('1.2.3'))]],
    [
      '251 names',
      'san-too-many',
      Array.from({ length: 251 }, (_, n) => dnsName(`a${n}.example.com`)),
    ],
  ]
  for (const [title, rule, names] of refused) {
    test(`with ${title} is refused: ${rule}`, () => {
      assertRefused(parseCsr(makeCsr({ extensions: [subjectAltName(...names)] })), rule)
    })
  }
})

describe('a subject', () => {
  const refused: readonly (readonly [string, Rule, Uint8Array])[] = [
    ['CN of 65 characters', 'name-too-long', makeName({ '2.5.4.3': 'a'.repeat(65) })],
    ['an empty O beside a CN', 'name-malformed', makeName({ '2.5.4.10': '', '2.5.4.3': 'a' })],
    ['a NUL', 'name-malformed', makeName({ '2.5.4.3': 'a\0b' })],
    ['C as UTF8String', 'name-malformed', makeName({ '2.5.4.6': 'DE' })],
    ['C of three letters', 'name-too-long', sequence(rdn(nameAttribute('2.5.4.6', 'DEU', 0x13)))],
    [
      'a * in a PrintableString',
      'name-malformed',
      sequence(rdn(nameAttribute('2.5.4.3', '*.a', 0x13))),
    ],
    [
      'UTF-8 that is none',
      'name-malformed',
      sequence(rdn(sequence(objectIdentifier('2.5.4.3'), tagged(0x0c, Uint8Array.of(0xff))))),
    ],
    [
      'a number in place of a string',
      'name-malformed',
      sequence(rdn(sequence(objectIdentifier('2.5.4.3'), Uint8Array.of(2, 1, 1)))),
    ],
    ['an RDN without attributes', 'name-malformed', sequence(rdn())],
    [
      'an RDN that is not sorted',
      'name-malformed',
      sequence(rdn(nameAttribute('2.5.4.11', 'B'), nameAttribute('2.5.4.3', 'A'))),
    ],
    ['a SET in place of a SEQUENCE', 'structure', tagged(0x31)],
  ]
  for (const [title, rule, subject] of refused) {
    test(`with ${title} is refused: ${rule}`, () => {
      assertRefused(parseCsr(makeCsr({ subject })), rule)
    })
  }

  for (const tag of [0x0c, 0x13]) {
    test(`of an O without a value (tag ${tag}), as Istio's agents ask, is no subject`, () => {
      const subject = sequence(rdn(nameAttribute('2.5.4.10', '', tag)))
      assert.deepEqual(accepted(parseCsr(makeCsr({ subject }))).subject, sequence())
    })
  }

  test('that is long is quoted in part, and what to do is still said', () => {
    const subject = makeName({ '2.5.4.99': `${'😀'.repeat(5000)}\0` })
    const outcome = parseCsr(makeCsr({ subject }))
    assert.ok(!outcome.ok)
    const { message } = outcome.refusal
    assert.match(message, /^2\.5\.4\.99="😀.* … .*😀.* has control characters$/u)
    assert.ok(message.length < 800 && message.isWellFormed())
  })

  test('of 64 characters beyond ASCII is taken', () => {
    accepted(parseCsr(makeCsr({ subject: makeName({ '2.5.4.3': 'ü'.repeat(64) }) })))
  })
})
