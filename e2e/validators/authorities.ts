import type { Authority } from '../../src/pki/authority.ts'
import type { CaLimits } from '../../src/pki/ca_request.ts'
import { explicit, objectIdentifier, sequence } from '../../src/pki/der_writer.ts'
import { parseImposedConstraints } from '../../src/pki/imposed_constraints.ts'
import { oid } from '../../src/pki/oids.ts'
import {
  type SignatureAlgorithmName,
  signatureAlgorithms,
} from '../../src/pki/signature_algorithms.ts'
import { issue } from '../../test/pki/issue.ts'
import { type KeyPair, type KeyType, keyOf, x509Signature } from '../../test/pki/keys.ts'
import { type Ca, type CaParts, day, makeAuthority, makeCa, now } from '../../test/pki/make_ca.ts'
import {
  dnsName,
  emailName,
  extension,
  ipName,
  makeCsr,
  makeName,
  nameAttribute,
  rdn,
  uriName,
} from '../../test/pki/make_csr.ts'
import { accepted } from '../../test/pki/outcomes.ts'

/** Where an Authority comes from; each member is one dimension of the chains. */
export interface AuthorityKind {
  readonly algorithm: SignatureAlgorithmName
  readonly depth: Depth
  readonly name: CaName
  readonly bounds: Bounds
  readonly lifetime: Lifetime
  /** OIDs: what the CA is limited to if its bounds are key purposes. */
  readonly purposes: readonly string[]
}

export interface Signer {
  readonly authority: Authority
  readonly key: KeyPair
}

export const algorithms: readonly SignatureAlgorithmName[] = [
  ...(['ES256', 'ES384', 'ES512'] as const),
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
]

/** Of the CAs above a leaf. What is `ours` was issued by the product too. */
export const depths = [
  'root',
  'root, intermediate',
  'root, ours',
  'root, intermediate, ours',
] as const
type Depth = (typeof depths)[number]

/** The issuing CA's; a CA further up has another. */
const caNames = {
  UTF8String: makeName({ '2.5.4.10': 'Contoso Ä', '2.5.4.3': 'Issuing CA' }),
  PrintableString: sequence(
    rdn(nameAttribute('2.5.4.6', 'DE', 0x13)),
    rdn(nameAttribute('2.5.4.10', 'Contoso', 0x13)),
    rdn(nameAttribute('2.5.4.3', 'Issuing CA', 0x13)),
  ),
  'T61String, BMPString, IA5String': sequence(
    rdn(nameAttribute('0.9.2342.19200300.100.1.25', 'example', 0x16)),
    rdn(nameAttribute('2.5.4.10', 'Contoso \xd6', 0x14)),
    rdn(nameAttribute('2.5.4.3', '\0C\0A', 0x1e)),
  ),
  'RDN of two attributes': sequence(
    rdn(nameAttribute('2.5.4.10', 'Contoso')),
    rdn(nameAttribute('2.5.4.11', 'PKI'), nameAttribute('2.5.4.3', 'Issuing CA')),
  ),
} as const
type CaName = keyof typeof caNames
export const caNameKinds: readonly CaName[] = [
  ...(['UTF8String', 'PrintableString'] as const),
  ...(['T61String, BMPString, IA5String', 'RDN of two attributes'] as const),
]

export const boundsKinds = ['none', 'path length', 'key purposes', 'names'] as const
type Bounds = (typeof boundsKinds)[number]

/** Ends: of all its CAs. */
const ends = {
  '10 years': now + 3650 * day,
  '30 days': now + 30 * day,
  'past 2050': Date.parse('2060-01-01T00:00:00Z'),
} as const
type Lifetime = keyof typeof ends
export const lifetimes: readonly Lifetime[] = ['10 years', '30 days', 'past 2050']

/** More than any CA lives: what asks for it gets all that is left. */
export const long = 40 * 365 * day

const made = new Map<string, Signer>()

/** The authority of a kind, made at the first call. */
export function authorityOf(kind: AuthorityKind): Signer {
  const id = JSON.stringify(kind)
  const signer = made.get(id) ?? makeSigner(kind)
  made.set(id, signer)
  return signer
}

function makeSigner(kind: AuthorityKind): Signer {
  const { algorithm, depth } = kind
  const [root, ...below] = depth.split(', ')
  const path = [makeOne(kind, root === depth, [])]
  for (const which of below) {
    const isLast = which === below.at(-1)
    if (which === 'ours') path.unshift(makeOurs(kind, path))
    else path.unshift(makeOne(kind, isLast, path))
  }
  const [ca, ...above] = path
  if (ca === undefined) throw new TypeError('no CA was made')
  return { authority: makeAuthority(ca, above, algorithm), key: ca.key }
}

/** A CA as an operator has it: the topmost one carries the bounds, since they hold all below. */
function makeOne(kind: AuthorityKind, isIssuing: boolean, above: readonly Ca[]): Ca {
  const [issuer] = above
  const key = caKey(kind.algorithm, issuer ? 'intermediate' : 'root')
  const subject = caNames[kind.name]
  return makeCa({
    ...(isIssuing ? { subject } : { name: issuer ? 'Intermediate CA' : 'Root CA' }),
    key,
    signature: x509Signature(issuer?.key ?? key, signatureAlgorithms[kind.algorithm]),
    notAfter: ends[kind.lifetime],
    ...(issuer ? { issuer } : boundsOf(kind)),
  })
}

/** A CA that the product issued. */
function makeOurs(kind: AuthorityKind, above: readonly Ca[]): Ca {
  const [ca, ...rest] = above
  if (ca === undefined) throw new TypeError('a CA needs one above it')
  const key = caKey(kind.algorithm, 'ours')
  const issued = issue(
    {
      csr: makeCsr({ key, subject: caNames[kind.name], attributes: [] }),
      authority: makeAuthority(ca, rest, kind.algorithm),
      request: { isCA: true, usages: ['cert sign', 'crl sign'], durationMs: long },
      limits: { ca: caLimits(kind.bounds), maxDurationMs: long },
    },
    ca.key,
  )
  return { certificate: issued.certificate, key }
}

function boundsOf({ bounds, depth, purposes }: AuthorityKind): CaParts {
  // One more than there are CAs below, so that the leaf may be a CA too.
  if (bounds === 'path length') return { pathLength: depth.split(', ').length }
  if (bounds === 'key purposes') {
    return { extensions: [extension(oid.extKeyUsage, sequence(...purposes.map(objectIdentifier)))] }
  }
  return bounds === 'names' ? { extensions: [nameConstraints] } : {}
}

/** What the product sets on the CAs that it issues, where bounds are names. */
export function caLimits(bounds: Bounds): CaLimits {
  return { maxPathLength: 3, ...(bounds === 'names' && { nameConstraints: imposed }) }
}

const imposed = accepted(
  parseImposedConstraints({
    permitted: {
      dnsDomains: ['example.com'],
      emailAddresses: ['example.com'],
      uriDomains: ['.example.com'],
      ipRanges: ['10.0.0.0/8', '2001:db8::/32'],
    },
    excluded: { dnsDomains: ['secret.corp.example.com'] },
  }),
)

const nameConstraints = extension(
  oid.nameConstraints,
  sequence(
    explicit(
      0,
      sequence(dnsName('example.com')),
      sequence(emailName('example.com')),
      sequence(uriName('.example.com')),
      sequence(ipName(10, 0, 0, 0, 255, 0, 0, 0)),
      sequence(ipName(0x20, 0x01, 0x0d, 0xb8, ...zeros(12), 255, 255, 255, 255, ...zeros(12))),
    ),
    explicit(1, sequence(dnsName('secret.corp.example.com'))),
  ),
  true,
)

function zeros(count: number): readonly number[] {
  return Array.from({ length: count }, () => 0)
}

/** Of a root. RSA keys below it are of 2048 bits: longer ones take seconds to make. */
const rootKeyTypes: Readonly<Record<SignatureAlgorithmName, KeyType>> = {
  ES256: 'ECDSA P-256',
  ES384: 'ECDSA P-384',
  ES512: 'ECDSA P-521',
  RS256: 'RSA 2048',
  RS384: 'RSA 3072',
  RS512: 'RSA 4096',
  PS256: 'RSA 2048',
  PS384: 'RSA 3072',
  PS512: 'RSA 4096',
}

function caKey(algorithm: SignatureAlgorithmName, role: 'root' | 'intermediate' | 'ours'): KeyPair {
  const type = rootKeyTypes[algorithm]
  return keyOf(role !== 'root' && type.startsWith('RSA') ? 'RSA 2048' : type, role)
}
