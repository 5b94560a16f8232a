import type { Traits } from './chain.ts'
import { identities } from './identities.ts'

/** An error of a validator that is no fault of the certificate. */
export interface Exemption {
  readonly validator: string
  readonly rule: string
  /** The certificates that it may be found in. */
  readonly when: (traits: Traits) => boolean
  readonly reason: string
}

const dnsNameTag = 0x82
const withoutDnsName = new Set(
  identities
    .filter(({ names }) => !names.some(([tag]) => tag === dnsNameTag))
    .map(({ title }) => title),
)

export const exemptions: readonly Exemption[] = [
  {
    validator: 'crypto/x509',
    rule: 'x509.UnhandledCriticalExtension',
    when: ({ identity, use }) => identity === 'otherName' && !use.startsWith('CA'),
    reason:
      'RFC 5280 §4.2.1.6 makes subjectAltName critical beside an empty subject; crypto/x509 takes one in which it knows no kind of name for an unknown extension.',
  },
  {
    validator: 'GnuTLS',
    rule: 'status 0x10002',
    when: ({ bounds, identity }) => bounds === 'names' && withoutDnsName.has(identity),
    reason:
      'Without DNS names GnuTLS takes any commonName of what could be a TLS server for one and holds it to the DNS constraints; RFC 5280 §4.2.1.10 constrains names of the constrained kind.',
  },
  {
    validator: 'zlint',
    rule: 'e_key_usage_and_extended_key_usage_inconsistent',
    when: ({ use }) => use === 'key agreement' || use === 'client with key encipherment',
    reason:
      'RFC 5280 §4.2.1.12 wants one use that both extensions allow; zlint wants every key usage to serve the key purpose. They are what was asked for, key encipherment by the default of cert-manager.',
  },
  {
    validator: 'zlint',
    rule: 'e_subject_dn_not_printable_characters',
    when: ({ identity }) => identity === 'T61String and BMPString',
    reason:
      'zlint takes the octets of a BMPString, of which every other is zero here, for letters.',
  },
  {
    validator: 'pkilint',
    rule: 'pkix.signature_verification_failed',
    when: ({ algorithm }) => algorithm.startsWith('PS'),
    reason:
      'pkilint verifies RSA signatures by PKCS #1 v1.5 only; those by PSS are verified by OpenSSL, crypto/x509 and GnuTLS.',
  },
  {
    validator: 'pkilint',
    rule: 'pkix.invalid_domain_name_syntax',
    when: ({ identity }) => identity.startsWith('wildcard'),
    reason: 'RFC 5280 §4.2.1.6 leaves wildcards to who uses them, here RFC 9525 §6.3.',
  },
  {
    validator: 'pkilint',
    rule: 'pkix.invalid_uri_syntax',
    when: ({ identity }) => identity.startsWith('SPIFFE') || identity === 'CN, email and URI',
    reason:
      'pkilint knows a list of URI schemes, in which spiffe and urn are not; RFC 3986 has none.',
  },
]
