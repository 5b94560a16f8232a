import { domainToASCII, domainToUnicode } from 'node:url'
import { readDer } from './der.ts'
import type { GeneralName } from './general_names.ts'
import { checkRequestedName } from './name_rules.ts'
import { type Rule, refuse } from './refusal.ts'

const maxNames = 250

/** Refuses alternative names that validators read differently, or not at all. */
export function checkSubjectAltNames(names: readonly GeneralName[]): void {
  if (names.length > maxNames) {
    refuse('san-too-many', `${names.length} alternative names; at most ${maxNames} are allowed`)
  }
  for (const name of names) {
    if (name.kind === 'dns') checkDnsName(name.value, 'san-dns', 'DNS name', { wildcard: true })
    if (name.kind === 'email') checkEmail(name.value)
    if (name.kind === 'uri') checkUri(name.value)
    if (name.kind === 'directoryName') checkDirectoryName(name.name, 'a directory name')
    if (name.kind === 'ip') checkIpAddress(name.value, name.octets)
  }
  const uris = names.flatMap((name) => (name.kind === 'uri' ? [name.value] : []))
  // SPIFFE X509-SVID §2: exactly one URI, or a validator must reject the SVID.
  if (uris.length > 1 && uris.some(isSpiffe)) {
    refuse('san-uri', `a SPIFFE ID must be the only URI; seen ${uris.length} URIs`)
  }
}

/** By the rules of subjects, since validators read it by the same. */
export function checkDirectoryName(der: Uint8Array, what: string): void {
  checkRequestedName(readDer(der, what), what)
}

/** Preferred name syntax (RFC 5280 §4.2.1.6, RFC 1034 §3.5), A-labels for other scripts. */
export function checkDnsName(
  name: string,
  rule: Rule,
  what: string,
  { wildcard }: { readonly wildcard: boolean },
): void {
  const fail = (fault: string): never => refuse(rule, `${what} ${JSON.stringify(name)} ${fault}`)
  if (name === '') fail('is empty')
  if (name.length > 253) fail(`has ${name.length} characters; at most 253 are allowed`)
  if (name.endsWith('.')) fail('ends with a dot; leave it out')
  if (/^[0-9.]+$/.test(name)) fail('looks like an IP address; ask for it under ipAddresses')
  const labels = name.split('.')
  const isWildcard = wildcard && labels[0] === '*'
  if (isWildcard && labels.length === 1) fail('is a bare wildcard')
  for (const label of isWildcard ? labels.slice(1) : labels) {
    if (label === '') fail('has an empty label')
    if (label.includes('*')) fail('has a * that is not the whole leftmost label')
    if (label.length > 63) fail('has a label of more than 63 characters')
    if (!/^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/.test(label)) {
      fail(`has label ${JSON.stringify(label)}, which is not letters, digits and inner hyphens`)
    }
    if (/^xn--/i.test(label) && !isALabel(label.toLowerCase())) {
      fail(`has label ${JSON.stringify(label)}, which is not valid IDNA`)
    }
  }
}

/** Whether the label stands for another script and is the one way to write it (RFC 5891 §4.4). */
function isALabel(label: string): boolean {
  const unicode = domainToUnicode(label)
  return unicode !== label && domainToASCII(unicode) === label
}

/** RFC 5280 §4.2.1.6: a Mailbox of RFC 5321 in ASCII. */
export function checkEmail(address: string, rule: Rule = 'san-email'): void {
  const [local, domain, ...rest] = address.split('@')
  const atoms = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
  if (local === undefined || domain === undefined || rest.length > 0 || !atoms.test(local)) {
    refuse(rule, `email address ${JSON.stringify(address)} is not local@domain`)
  }
  checkDnsName(domain, rule, 'email domain', { wildcard: false })
}

/** RFC 5280 §4.2.1.6: absolute, ASCII, and with a host where the scheme has an authority. */
function checkUri(uri: string): void {
  const fail = (fault: string): never => refuse('san-uri', `URI ${JSON.stringify(uri)} ${fault}`)
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(uri)) fail('is relative; expected scheme:…')
  if (!/^([A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/.test(uri)) {
    fail('has characters that RFC 3986 does not allow')
  }
  const [, scheme = '', rest = ''] = /^([^:]*):(.*)$/.exec(uri) ?? []
  if (rest === '' || rest === '//') fail('has nothing after its scheme')
  const authority = /^\/\/([^/?#]*)/.exec(rest)?.[1]
  if (authority === '') fail('has no host')
  if (scheme.toLowerCase() === 'spiffe') checkSpiffeId(rest, fail)
}

/** SPIFFE-ID §2: trust domain and path only. */
function checkSpiffeId(rest: string, fail: (fault: string) => never): void {
  const wellFormed = /^\/\/[a-z0-9._-]{1,255}(\/[A-Za-z0-9._-]+)*$/
  if (!wellFormed.test(rest) || /\/\.{1,2}(\/|$)/.test(rest)) {
    fail('is not a SPIFFE ID: spiffe://trust-domain/path in the letters that SPIFFE allows')
  }
}

function isSpiffe(uri: string): boolean {
  return /^spiffe:/i.test(uri)
}

/** An IPv4 address inside IPv6 means two things to two validators. */
function checkIpAddress(text: string, octets: Uint8Array): void {
  const mapped =
    octets.length === 16 &&
    octets.subarray(0, 10).every((octet) => octet === 0) &&
    octets[10] === 0xff &&
    octets[11] === 0xff
  if (mapped)
    refuse('san-ip', `IP address ${text} is an IPv4 address in IPv6; ask for the IPv4 one`)
}
