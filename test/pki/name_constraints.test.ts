import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explicit, implicit, sequence, tagged } from '../../src/pki/der_writer.ts'
import { oid } from '../../src/pki/oids.ts'
import { decideFor, limits } from './issue.ts'
import { makeAuthority, makeCa } from './make_ca.ts'
import {
  dnsName,
  emailName,
  extension,
  ipName,
  makeCsr,
  makeName,
  nameAttribute,
  otherName,
  rdn,
  subjectAltName,
  uriName,
} from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

interface Constraints {
  readonly permitted?: readonly Uint8Array[]
  readonly excluded?: readonly Uint8Array[]
}

function constraintsExtension({ permitted = [], excluded = [] }: Constraints): Uint8Array {
  const subtrees = [permitted, excluded].flatMap((bases, i) =>
    bases.length === 0 ? [] : [explicit(i, ...bases.map((base) => sequence(base)))],
  )
  return extension(oid.nameConstraints, sequence(...subtrees), true)
}

function permitting(domain: string): Uint8Array {
  return constraintsExtension({ permitted: [dnsName(domain)] })
}

function directory(attributes: Readonly<Record<string, string>>): Uint8Array {
  return tagged(0xa4, makeName(attributes))
}

/** What a CA with `constraints` says to a request for `names` and `subject`. */
function decideUnder(constraints: Constraints, names: readonly Uint8Array[], subject = makeName()) {
  const root = makeCa({ name: 'Root', extensions: [constraintsExtension(constraints)] })
  const below = makeCa({ name: 'Below', issuer: root })
  return decideFor({
    csr: makeCsr({ subject, extensions: [subjectAltName(...names)] }),
    authority: makeAuthority(below, [root]),
    limits: { ...limits, nameKinds: ['dns', 'ip', 'uri', 'email', 'otherName', 'directoryName'] },
  })
}

const inside = [dnsName('a.example.com')]
const upn = otherName('1.2.3', 'u')

describe('a name constraint of any CA of the chain', () => {
  const taken: readonly (readonly [string, Constraints, readonly Uint8Array[]])[] = [
    ['permits the name itself', { permitted: [dnsName('a.example.com')] }, inside],
    ['permits names below', { permitted: [dnsName('example.com')] }, inside],
    ['permits in any case of letters', { permitted: [dnsName('Example.COM')] }, inside],
    ['permits below a leading dot', { permitted: [dnsName('.example.com')] }, inside],
    [
      'permits by any of its subtrees',
      { permitted: [dnsName('b'), dnsName('example.com')] },
      inside,
    ],
    ['permits every name with an empty base', { permitted: [dnsName('')] }, inside],
    [
      'permits a wildcard below',
      { permitted: [dnsName('example.com')] },
      [dnsName('*.example.com')],
    ],
    ['does not exclude a neighbour', { excluded: [dnsName('b.example.com')] }, inside],
    ['does not exclude by the end of a label', { excluded: [dnsName('ample.com')] }, inside],
    [
      'leaves kinds it does not name alone',
      { permitted: [ipName(10, 0, 0, 0, 255, 0, 0, 0)] },
      inside,
    ],
    [
      'permits an address',
      { permitted: [ipName(10, 0, 0, 0, 255, 0, 0, 0)] },
      [ipName(10, 9, 8, 7)],
    ],
    [
      'permits a mailbox',
      { permitted: [emailName('a@example.com')] },
      [emailName('a@EXAMPLE.com')],
    ],
    [
      'permits a mail host',
      { permitted: [emailName('example.com')] },
      [emailName('a@example.com')],
    ],
    [
      'permits mail domains',
      { permitted: [emailName('.example.com')] },
      [emailName('a@b.example.com')],
    ],
    [
      'permits a URI’s host',
      { permitted: [uriName('td.local')] },
      [uriName('spiffe://td.local/a')],
    ],
    [
      'permits hosts of URIs',
      { permitted: [uriName('.local')] },
      [uriName('https://u@td.local:1/a')],
    ],
  ]
  for (const [title, constraints, names] of taken) {
    test(title, () => void accepted(decideUnder(constraints, names)))
  }

  const refused: readonly (readonly [string, Constraints, readonly Uint8Array[]])[] = [
    ['does not permit another domain', { permitted: [dnsName('example.org')] }, inside],
    ['does not permit by the end of a label', { permitted: [dnsName('ample.com')] }, inside],
    [
      'does not permit the base of a leading dot',
      { permitted: [dnsName('.a.example.com')] },
      inside,
    ],
    ['asks for every name', { permitted: [dnsName('example.com')] }, [...inside, dnsName('b.org')]],
    ['excludes the name', { excluded: [dnsName('a.example.com')] }, inside],
    ['excludes names below', { excluded: [dnsName('example.com')] }, inside],
    [
      'excludes what it also permits',
      { permitted: [dnsName('example.com')], excluded: [dnsName('a.example.com')] },
      inside,
    ],
    [
      'excludes a wildcard that could be the name',
      { excluded: [dnsName('a.example.com')] },
      [dnsName('*.example.com')],
    ],
    [
      'does not permit another network',
      { permitted: [ipName(10, 0, 0, 0, 255, 0, 0, 0)] },
      [ipName(11, 0, 0, 1)],
    ],
    [
      'does not permit IPv4 by an IPv6 range',
      { permitted: [implicit(7, new Uint8Array(32))] },
      [ipName(10, 0, 0, 1)],
    ],
    ['excludes an address', { excluded: [ipName(0, 0, 0, 0, 0, 0, 0, 0)] }, [ipName(10, 0, 0, 1)]],
    [
      'does not permit another mailbox',
      { permitted: [emailName('a@example.com')] },
      [emailName('A@example.com')],
    ],
    [
      'does not permit a mail domain by its host',
      { permitted: [emailName('example.com')] },
      [emailName('a@b.example.com')],
    ],
    [
      'does not permit another URI host',
      { permitted: [uriName('td.local')] },
      [uriName('spiffe://a.td.local/a')],
    ],
    [
      'does not permit a URI without host',
      { permitted: [uriName('td.local')] },
      [uriName('urn:a:b')],
    ],
    ['excludes a URI without host', { excluded: [uriName('td.local')] }, [uriName('urn:a:b')]],
    ['does not permit otherNames it cannot compare', { permitted: [upn] }, [upn]],
    ['excludes otherNames it cannot compare', { excluded: [upn] }, [upn]],
  ]
  for (const [title, constraints, names] of refused) {
    test(`${title}: name-constraints`, () => {
      assertRefused(decideUnder(constraints, names), 'name-constraints', /CN=Root/)
    })
  }
})

describe('a subject under name constraints', () => {
  const subject = makeName({ '2.5.4.10': 'Team A', '2.5.4.3': 'x' })

  test('is permitted below a directory name, whatever its case and spaces', () => {
    accepted(decideUnder({ permitted: [directory({ '2.5.4.10': 'team  a' })] }, inside, subject))
  })
  test('is not permitted beside one', () => {
    const outcome = decideUnder(
      { permitted: [directory({ '2.5.4.10': 'Team B' })] },
      inside,
      subject,
    )
    assertRefused(outcome, 'name-constraints')
  })
  test('is excluded below one', () => {
    const outcome = decideUnder(
      { excluded: [directory({ '2.5.4.10': 'Team A' })] },
      inside,
      subject,
    )
    assertRefused(outcome, 'name-constraints')
  })
  test('that is empty is not constrained', () => {
    accepted(decideUnder({ permitted: [directory({ '2.5.4.10': 'Team B' })] }, inside))
  })
  test('may not have an email address outside', () => {
    const email = sequence(rdn(nameAttribute(oid.emailAddress, 'a@b.org', 0x16)))
    const outcome = decideUnder({ permitted: [emailName('example.com')] }, inside, email)
    assertRefused(outcome, 'name-constraints', /a@b.org/)
  })
})

function nameOf(commonName: string): Uint8Array {
  return makeName({ '2.5.4.3': commonName })
}

describe('a common name that looks like a host', () => {
  const permitted = { permitted: [dnsName('example.com')] }
  const mail = [emailName('a@b.org')]
  test('is held to the constraints of DNS names where it is the only one', () => {
    accepted(decideUnder(permitted, mail, nameOf('a.example.com')))
    for (const host of ['a.example.org', 'A_1.example.org', '*.example.org', 'example.com.org']) {
      const outcome = decideUnder(permitted, mail, nameOf(host))
      assertRefused(outcome, 'name-constraints', /outside .* "example.com"/)
    }
  })
  test('is excluded like one', () => {
    const outcome = decideUnder({ excluded: [dnsName('b.org')] }, mail, nameOf('a.b.org'))
    assertRefused(outcome, 'name-constraints', /"a.b.org" is excluded/)
  })
  test('is not, beside a DNS name', () => {
    accepted(decideUnder(permitted, inside, nameOf('a.example.org')))
  })
  for (const name of ['My Team', 'alice', 'a..b', '-a.b', 'a.b.', 'a-.b', 'ä.b']) {
    test(`is not ${name}`, () => void accepted(decideUnder(permitted, mail, nameOf(name))))
  }
})

describe('the constraints of two CAs', () => {
  test('both hold: their union permits nothing', () => {
    const root = makeCa({ name: 'Root', extensions: [permitting('example.com')] })
    const below = makeCa({ name: 'Below', issuer: root, extensions: [permitting('example.org')] })
    const authority = makeAuthority(below, [root])
    for (const name of ['a.example.com', 'a.example.org']) {
      const csr = makeCsr({ extensions: [subjectAltName(dnsName(name))] })
      assertRefused(decideFor({ csr, authority }), 'name-constraints')
    }
  })
})

describe('a CA certificate with name constraints that are malformed', () => {
  const cases: Readonly<Record<string, Uint8Array>> = {
    'of nothing': sequence(),
    'with an empty list beside a full one': sequence(
      explicit(0),
      explicit(1, sequence(dnsName('a'))),
    ),
    'with an address range of 4 octets': sequence(explicit(0, sequence(ipName(1, 2, 3, 4)))),
    'of a kind nobody uses': sequence(explicit(0, sequence(tagged(0xa3, sequence())))),
  }
  for (const [title, value] of Object.entries(cases)) {
    test(`${title} is refused`, () => {
      const constraints = extension(oid.nameConstraints, value, true)
      assert.throws(() => makeCa({ extensions: [constraints] }), /refused by extension-malformed/)
    })
  }
})
