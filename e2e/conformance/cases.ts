import type { CertificateSpec, Issued } from './issued.ts'

/** A case of cert-manager's conformance suite (test/e2e/suite/conformance/certificates/tests.go). */
export interface Case {
  readonly title: string
  readonly spec: CertificateSpec
  /** What is to be seen beside what is checked of every certificate. */
  readonly more?: (issued: Issued) => Readonly<Record<string, unknown>>
  readonly expected?: Readonly<Record<string, unknown>>
}

const ecdsa = { privateKey: { algorithm: 'ECDSA' } } as const
const ed25519 = { privateKey: { algorithm: 'Ed25519' } } as const
const spiffeId = 'spiffe://cluster.local/ns/sandbox/sa/foo'
const host = 'conformance.example.com'
const upn = '1.3.6.1.4.1.311.20.2.3'
const literal = '*.h1.foo-long.bar.com'

export const cases: readonly Case[] = [
  { title: 'a single DNS name', spec: { dnsNames: [host] } },
  { title: 'a CA', spec: { isCA: true, dnsNames: [host] } },
  { title: 'an ECDSA key and a DNS name', spec: { ...ecdsa, dnsNames: [host] } },
  { title: 'an Ed25519 key and a DNS name', spec: { ...ed25519, dnsNames: [host] } },
  { title: 'a common name', spec: { commonName: 'test-common-name-1' } },
  {
    title: 'otherNames and an email address',
    spec: {
      otherNames: [
        { oid: upn, utf8Value: 'upn@domain.test' },
        { oid: upn, utf8Value: 'upn@domain2.test' },
      ],
      emailAddresses: ['email@domain.test'],
      commonName: 'someCN-1',
    },
    more: ({ names }) => ({ names: names.toSorted() }),
    expected: {
      names: [
        'email:email@domain.test',
        `otherName:${upn}:upn@domain.test`,
        `otherName:${upn}:upn@domain2.test`,
      ],
    },
  },
  {
    title: 'a literal subject',
    spec: {
      literalSubject: `CN=${literal},OU=FooLong,OU=Bar,OU=Baz,OU=Dept.,O=Corp.`,
      dnsNames: [literal],
    },
    more: ({ subject }) => ({ subject }),
    // Of RFC 4514's text, the last stands first.
    expected: {
      subject: ['O=Corp.', 'OU=Dept.', 'OU=Baz', 'OU=Bar', 'OU=FooLong', `CN=${literal}`],
    },
  },
  { title: 'an ECDSA key and a common name', spec: { ...ecdsa, commonName: 'test-common-name-2' } },
  {
    title: 'an Ed25519 key and a common name',
    spec: { ...ed25519, commonName: 'test-common-name-3' },
  },
  { title: 'an IP address', spec: { ipAddresses: ['127.0.0.1'] } },
  { title: 'a DNS name and an IP address', spec: { ipAddresses: ['127.0.0.1'], dnsNames: [host] } },
  {
    title: 'a common name and an IP address',
    spec: { ipAddresses: ['127.0.0.1'], commonName: 'test-common-name-4' },
  },
  { title: 'an email address', spec: { emailAddresses: ['alice@example.com'] } },
  {
    title: 'a common name and a URI',
    spec: { uris: [spiffeId], commonName: 'test-common-name-5' },
  },
  {
    title: 'two DNS names, one of them the common name',
    spec: { commonName: 'a.example.com', dnsNames: ['a.example.com', 'b.example.com'] },
  },
  {
    title: 'a DNS name and another as common name',
    spec: { commonName: 'a.example.com', dnsNames: ['b.example.com'] },
  },
  { title: 'a duration', spec: { duration: '896h0m0s', dnsNames: [host] } },
  { title: 'a wildcard', spec: { dnsNames: [`*.${host}`] } },
  { title: 'a URI alone', spec: { uris: [spiffeId] } },
  {
    title: 'arbitrary key usages',
    spec: {
      dnsNames: [host],
      usages: ['signing', 'data encipherment', 'server auth', 'client auth'],
    },
    more: ({ keyUsages, purposes }) => ({ keyUsages, purposes: purposes.toSorted() }),
    expected: {
      keyUsages: ['digitalSignature', 'dataEncipherment'],
      purposes: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
    },
  },
  { title: 'a long domain', spec: { dnsNames: [`${'l'.repeat(63)}.example.com`] } },
  {
    title: 'a wildcard and its domain',
    spec: { dnsNames: ['*.apex.example.com', 'apex.example.com'] },
  },
]
