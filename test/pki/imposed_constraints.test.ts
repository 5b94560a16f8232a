import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex } from '../../src/pki/bytes.ts'
import { explicit, sequence, tagged } from '../../src/pki/der_writer.ts'
import {
  type NameConstraintsText,
  parseImposedConstraints,
} from '../../src/pki/imposed_constraints.ts'
import { oid } from '../../src/pki/oids.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import { decideFor, issue } from './issue.ts'
import { keyOf } from './keys.ts'
import { makeAuthority, makeCa } from './make_ca.ts'
import {
  dnsName,
  emailName,
  extension,
  ipName,
  makeCsr,
  makeName,
  subjectAltName,
  uriName,
} from './make_csr.ts'
import { opensslVerify } from './openssl.ts'
import { accepted, assertRefused } from './outcomes.ts'

const root = makeCa({ name: 'Root' })
const authority = makeAuthority(root)
const subject = makeName({ '2.5.4.3': 'mesh-ca' })
const key = keyOf('ECDSA P-256', 'mesh')

function imposed(text: NameConstraintsText) {
  return accepted(parseImposedConstraints(text))
}

interface Subtrees {
  readonly permitted?: readonly Uint8Array[]
  readonly excluded?: readonly Uint8Array[]
}

function csrWith({ permitted = [], excluded = [] }: Subtrees, critical = true): string {
  const lists = [permitted, excluded].flatMap((bases, i) =>
    bases.length === 0 ? [] : [explicit(i, ...bases.map((base) => sequence(base)))],
  )
  const constraints = extension(oid.nameConstraints, sequence(...lists), critical)
  return makeCsr({ key, subject, extensions: [constraints] })
}

function decideCa(csr: string, text?: NameConstraintsText) {
  return decideFor({
    csr,
    authority,
    request: { isCA: true, usages: [] },
    limits: { ca: { maxPathLength: 0, nameConstraints: text && imposed(text) } },
  })
}

describe('the name constraints of an issuer', () => {
  test('are encoded as RFC 5280 §4.2.1.10 has them', () => {
    const { value } = imposed({
      permitted: { dnsDomains: ['a.b'], ipRanges: ['10.0.0.0/9', '2001:db8::/33'] },
      excluded: { emailAddresses: ['.c'], uriDomains: ['d'] },
    })
    const v6 = `20010db8${'00'.repeat(12)}${'ffffffff80'}${'00'.repeat(11)}`
    assert.equal(
      hex(value),
      `3046a037${'30058203612e62'}${'300a87080a000000ff800000'}${`30228720${v6}`}` +
        `a10b${'300481022e63'}${'3003860164'}`,
    )
  })

  test('stand critical in each CA, which validators hold to them', () => {
    const text = {
      permitted: {
        dnsDomains: ['example.com'],
        emailAddresses: ['example.com'],
        uriDomains: ['cluster.local'],
        ipRanges: ['10.0.0.0/8', 'fd00::/8'],
      },
      excluded: { dnsDomains: ['secret.example.com'], ipRanges: ['10.1.0.0/16'] },
    }
    const intermediate = issue(
      {
        csr: makeCsr({ key, subject, attributes: [] }),
        authority,
        request: { isCA: true, usages: ['cert sign'] },
        limits: { ca: { maxPathLength: 0, nameConstraints: imposed(text) } },
      },
      root.key,
    )
    const below = { certificate: intermediate.certificate, key }
    const nameKinds = ['dns', 'ip', 'uri', 'email'] as const
    const names = [
      dnsName('a.example.com'),
      emailName('a@example.com'),
      uriName('spiffe://cluster.local/ns/a'),
      ipName(10, 2, 0, 1),
    ]
    const csr = makeCsr({ extensions: [subjectAltName(...names)] })
    const leafAuthority = makeAuthority(below, [root])
    const leaf = issue({ csr, authority: leafAuthority, limits: { nameKinds } }, key)
    opensslVerify(leaf)
    const outside = [dnsName('b.secret.example.com'), ipName(10, 1, 0, 1), uriName('spiffe://td/a')]
    for (const name of outside) {
      const other = makeCsr({ extensions: [subjectAltName(name)] })
      const outcome = decideFor({ csr: other, authority: leafAuthority, limits: { nameKinds } })
      assertRefused(outcome, 'name-constraints', /CN=mesh-ca/)
    }
  })

  test('are not set on leaves', () => {
    const limits = {
      ca: { maxPathLength: 0, nameConstraints: imposed({ permitted: { dnsDomains: ['b.org'] } }) },
    }
    const decision = accepted(decideFor({ csr: makeCsr(), authority, limits }))
    assert.equal(decision.nameConstraints, undefined)
  })

  const refused: readonly (readonly [string, NameConstraintsText])[] = [
    ['nothing', {}],
    ['empty lists', { permitted: { dnsDomains: [] } }],
    ['a wildcard', { permitted: { dnsDomains: ['*.example.com'] } }],
    ['a DNS domain with a leading dot', { permitted: { dnsDomains: ['.example.com'] } }],
    ['an empty DNS domain', { excluded: { dnsDomains: [''] } }],
    ['an address as DNS domain', { permitted: { dnsDomains: ['10.0.0.1'] } }],
    ['letters beyond ASCII', { permitted: { uriDomains: ['münchen.de'] } }],
    ['a URI', { permitted: { uriDomains: ['spiffe://td'] } }],
    ['two @', { permitted: { emailAddresses: ['a@b@c'] } }],
    ['an address without length', { permitted: { ipRanges: ['10.0.0.0'] } }],
    ['a length beyond the address', { permitted: { ipRanges: ['10.0.0.0/33'] } }],
    ['bits behind the prefix', { permitted: { ipRanges: ['10.0.0.1/8'] } }],
    ['no address', { permitted: { ipRanges: ['ten/8'] } }],
    ['a negative length', { permitted: { ipRanges: ['10.0.0.0/-1'] } }],
  ]
  for (const [title, text] of refused) {
    test(`with ${title} are refused: name-constraint`, () => {
      assertRefused(parseImposedConstraints(text), 'name-constraint')
    })
  }
})

describe('the name constraints of a CSR', () => {
  const issuers: NameConstraintsText = {
    permitted: { dnsDomains: ['example.com'], ipRanges: ['10.0.0.0/8'] },
    excluded: { uriDomains: ['.td'] },
  }
  const ten = ipName(10, 0, 0, 0, 255, 0, 0, 0)
  const equal = { permitted: [dnsName('example.com'), ten], excluded: [uriName('.td')] }
  const taken: readonly (readonly [string, NameConstraintsText | undefined, Subtrees])[] = [
    ['where the issuer sets none', undefined, { permitted: [dnsName('a.org')] }],
    ['that are those of the issuer', issuers, equal],
    [
      'that are narrower',
      issuers,
      {
        permitted: [dnsName('a.example.com'), ipName(10, 1, 0, 0, 255, 255, 0, 0), uriName('x')],
        excluded: [uriName('.td'), dnsName('b.a.example.com')],
      },
    ],
    [
      'of mailboxes within a domain',
      { permitted: { emailAddresses: ['.example.com'] } },
      {
        permitted: [
          emailName('a@b.example.com'),
          emailName('c.example.com'),
          emailName('.d.example.com'),
        ],
      },
    ],
    [
      'that exclude a wider domain',
      { excluded: { dnsDomains: ['a.example.com'] } },
      { excluded: [dnsName('example.com')] },
    ],
  ]
  for (const [title, text, subtrees] of taken) {
    for (const critical of [true, false]) {
      test(`${title} are taken as they are, ${critical ? '' : 'not '}critical`, () => {
        const csr = csrWith(subtrees, critical)
        const { nameConstraints, draft } = accepted(decideCa(csr, text))
        const written = draft.extensions.all.find((one) => one.oid === oid.nameConstraints)
        assert.equal(written?.critical, true)
        assert.deepEqual(written.value, nameConstraints)
      })
    }
  }

  const refused: readonly (readonly [string, Rule, Subtrees])[] = [
    [
      'of another domain',
      'name-constraints-wider',
      { ...equal, permitted: [dnsName('a.org'), ten] },
    ],
    [
      'of the domain above',
      'name-constraints-wider',
      { ...equal, permitted: [dnsName('com'), ten] },
    ],
    [
      'of one domain more',
      'name-constraints-wider',
      { ...equal, permitted: [dnsName('example.com'), dnsName('a.org'), ten] },
    ],
    [
      'that leave a kind open',
      'name-constraints-wider',
      { ...equal, permitted: [dnsName('example.com')] },
    ],
    [
      'of a wider network',
      'name-constraints-wider',
      { ...equal, permitted: [dnsName('example.com'), ipName(8, 0, 0, 0, 248, 0, 0, 0)] },
    ],
    ['that exclude less', 'name-constraints-wider', { permitted: equal.permitted }],
    [
      'of a range with bits in the open',
      'extension-malformed',
      { permitted: [ipName(10, 0, 0, 1, 255, 0, 0, 0)] },
    ],
    [
      'of a mask with a hole',
      'extension-malformed',
      { permitted: [ipName(10, 0, 0, 0, 255, 0, 255, 0)] },
    ],
    [
      'of an empty attribute',
      'name-malformed',
      { permitted: [tagged(0xa4, makeName({ '2.5.4.3': '' }))] },
    ],
    ['of a leading dot', 'extension-malformed', { permitted: [dnsName('.example.com')] }],
    [
      'of a registered ID',
      'extension-malformed',
      { permitted: [tagged(0x88, Uint8Array.of(42, 3))] },
    ],
  ]
  for (const [title, rule, subtrees] of refused) {
    test(`${title} are refused: ${rule}`, () => {
      assertRefused(decideCa(csrWith(subtrees), issuers), rule)
    })
  }

  for (const critical of [true, false]) {
    const word = critical ? 'critical' : 'not critical'
    test(`are refused in a leaf, ${word}: name-constraints-in-leaf`, () => {
      const csr = csrWith({ permitted: [dnsName('example.com')] }, critical)
      assertRefused(decideFor({ csr, authority }), 'name-constraints-in-leaf', /set isCA/)
    })
  }
})
