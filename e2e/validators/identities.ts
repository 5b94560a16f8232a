import { implicit, objectIdentifier, sequence, tagged } from '../../src/pki/der_writer.ts'
import {
  dnsName,
  emailName,
  ipName,
  makeName,
  nameAttribute,
  otherName,
  rdn,
  uriName,
} from '../../test/pki/make_csr.ts'

/** Who a certificate is for. All names are within the names that bounded CAs permit. */
export interface Identity {
  readonly title: string
  /** Name, DER. */
  readonly subject: Uint8Array
  /** GeneralNames, DER. */
  readonly names: readonly Uint8Array[]
  /** What a client that connects would ask for; empty where none would. */
  readonly host: string
}

const nobody = makeName()
const label = 'a'.repeat(63)
const longest = [label, label, label, 'b'.repeat(49), 'example.com'].join('.')
const ipv6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
const app = 'myapp.example.com'

export const identities: readonly Identity[] = [
  only('DNS name', app, dnsName(app)),
  only('wildcard', 'any.example.com', dnsName('*.example.com')),
  only('wildcard and its domain', 'example.com', dnsName('*.example.com'), dnsName('example.com')),
  only('DNS name of 253 characters', longest, dnsName(longest)),
  only('DNS name in capitals', app, dnsName('MyApp.Example.COM')),
  only('A-label', 'xn--bcher-kva.example.com', dnsName('xn--bcher-kva.example.com')),
  only('100 DNS names', 'h7.example.com', ...many(100, (n) => dnsName(`h${n}.example.com`))),
  only('IPv4 address', '10.1.2.3', ipName(10, 1, 2, 3)),
  only('IPv6 address', '2001:db8::1', ipName(...ipv6)),
  only('DNS name and IP address', '10.1.2.3', dnsName(app), ipName(10, 1, 2, 3)),
  only('URI', '', uriName('https://app.example.com/a?b=c%20d')),
  only('SPIFFE ID', '', uriName('spiffe://mesh.example.com/ns/prod/sa/web')),
  only('SPIFFE ID and DNS name', app, uriName('spiffe://mesh.example.com/ns/a/sa/b'), dnsName(app)),
  only('email address', '', emailName("o'neil+tag@example.com")),
  only('otherName', '', userPrincipalName('jane@example.com')),
  of('otherName and CN', makeName({ '2.5.4.3': 'Jane' }), '', userPrincipalName('j@example.com')),
  of('directory name and CN', makeName({ '2.5.4.3': 'Jane' }), '', directoryName()),
  of('registered ID and CN', makeName({ '2.5.4.3': 'Jane' }), '', registeredId('1.2.3.4')),
  of('CN alone', makeName({ '2.5.4.3': 'Batch job 7' }), ''),
  of('CN in DNS names', makeName({ '2.5.4.3': app }), app, dnsName(app)),
  of('CN of 64 characters', makeName({ '2.5.4.3': 'c'.repeat(64) }), app, dnsName(app)),
  of(
    'CN, email and URI',
    makeName({ '2.5.4.3': 'Jane' }),
    '',
    emailName('jane@example.com'),
    uriName('urn://id.example.com/7'),
  ),
  of(
    'every attribute of cert-manager',
    sequence(
      rdn(nameAttribute('2.5.4.5', '12-34', 0x13)),
      rdn(nameAttribute('2.5.4.6', 'DE', 0x13)),
      rdn(nameAttribute('2.5.4.8', 'Bayern')),
      rdn(nameAttribute('2.5.4.7', 'München')),
      rdn(nameAttribute('2.5.4.9', 'Hauptstraße 1')),
      rdn(nameAttribute('2.5.4.17', '80331')),
      rdn(nameAttribute('2.5.4.10', 'Contoso')),
      rdn(nameAttribute('2.5.4.11', 'Web')),
      rdn(nameAttribute('2.5.4.11', 'Shop')),
      rdn(nameAttribute('2.5.4.3', app)),
    ),
    app,
    dnsName(app),
  ),
  of(
    'literal subject',
    sequence(
      rdn(nameAttribute('0.9.2342.19200300.100.1.25', 'com', 0x16)),
      rdn(nameAttribute('0.9.2342.19200300.100.1.25', 'example', 0x16)),
      rdn(nameAttribute('2.5.4.11', 'Leute')),
      rdn(nameAttribute('2.5.4.3', 'Jane'), nameAttribute('0.9.2342.19200300.100.1.1', 'jane')),
    ),
    '',
  ),
  of(
    'T61String and BMPString',
    sequence(
      rdn(nameAttribute('2.5.4.10', 'Contoso \xd6', 0x14)),
      rdn(nameAttribute('2.5.4.3', '\0J\0a\0n\0e', 0x1e)),
    ),
    app,
    dnsName(app),
  ),
  of(
    'email address in the subject',
    sequence(
      rdn(nameAttribute('2.5.4.3', 'Jane', 0x13)),
      rdn(nameAttribute('1.2.840.113549.1.9.1', 'jane@example.com', 0x16)),
    ),
    '',
    emailName('jane@example.com'),
  ),
]

function only(title: string, host: string, ...names: readonly Uint8Array[]): Identity {
  return { title, subject: nobody, names, host }
}

function of(
  title: string,
  subject: Uint8Array,
  host: string,
  ...names: readonly Uint8Array[]
): Identity {
  return { title, subject, names, host }
}

function many(count: number, make: (n: number) => Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, n) => make(n))
}

/** Microsoft's userPrincipalName, which smart cards log on by. */
function userPrincipalName(name: string): Uint8Array {
  return otherName('1.3.6.1.4.1.311.20.2.3', name)
}

function directoryName(): Uint8Array {
  return tagged(0xa4, makeName({ '2.5.4.10': 'Contoso', '2.5.4.3': 'Jane' }))
}

function registeredId(id: string): Uint8Array {
  return implicit(8, objectIdentifier(id).subarray(2))
}
