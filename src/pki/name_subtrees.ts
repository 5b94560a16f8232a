import { latin1 } from './bytes.ts'
import { type Element, readDer } from './der.ts'
import { explicitly, Fields } from './der_fields.ts'
import { type GeneralName, ipText, nameKinds } from './general_names.ts'
import { type NameAttribute, nameText, readName } from './names.ts'
import { type Rule, refuse } from './refusal.ts'
import { checkDirectoryName, checkDnsName, checkEmail } from './subject_alt_names.ts'

/** The base of a GeneralSubtree (RFC 5280 §4.2.1.10). */
export type Subtree =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly base: string }
  | AddressRange
  | { readonly kind: 'directoryName'; readonly name: Uint8Array }
  | { readonly kind: 'otherName' | 'registeredId' }

interface AddressRange {
  readonly kind: 'ip'
  readonly network: Uint8Array
  readonly mask: Uint8Array
}

/**
 * Refuses a subtree that validators read differently, or not at all.
 *
 * @param rule what it breaks: that of the place it stands in
 */
export function checkSubtree(subtree: Subtree, rule: Rule): void {
  if (subtree.kind === 'dns') {
    checkDnsName(subtree.base, rule, 'domain of nameConstraints', noWildcard)
  } else if (subtree.kind === 'email' || subtree.kind === 'uri') {
    const isMailbox = subtree.kind === 'email' && subtree.base.includes('@')
    if (isMailbox) checkEmail(subtree.base, rule)
    else checkDnsName(subtree.base.replace(/^\./, ''), rule, 'host of nameConstraints', noWildcard)
  } else if (subtree.kind === 'ip') checkRange(subtree, rule)
  else if (subtree.kind === 'directoryName') {
    checkDirectoryName(subtree.name, 'a directory name of nameConstraints')
  } else {
    refuse(rule, `nameConstraints of kind ${subtree.kind} are not supported; leave them out`)
  }
}

const noWildcard = { wildcard: false } as const

/** Whether all that `inner` holds is in `outer`. */
export function isWithinSubtree(inner: Subtree, outer: Subtree): boolean {
  if (inner.kind === 'dns' && outer.kind === 'dns') return isWithin(inner.base, outer.base)
  if (inner.kind === 'email' && outer.kind === 'email') return holdsMail(outer.base, inner.base)
  if (inner.kind === 'uri' && outer.kind === 'uri') return isHost(inner.base, outer.base)
  if (inner.kind === 'ip' && outer.kind === 'ip') {
    const fixed = outer.mask.every((octet, i) => (octet & (inner.mask[i] ?? 0)) === octet)
    return fixed && holdsAddress(outer, inner.network)
  }
  return (
    inner.kind === 'directoryName' &&
    outer.kind === 'directoryName' &&
    holdsDirectory(outer.name, inner.name)
  )
}

type SubtreeReader = (element: Element) => Subtree

const readers: ReadonlyMap<number, SubtreeReader> = new Map<number, SubtreeReader>([
  [0xa0, () => ({ kind: 'otherName' })],
  [0x81, ({ content }) => ({ kind: 'email', base: latin1(content) })],
  [0x82, ({ content }) => ({ kind: 'dns', base: latin1(content) })],
  [0xa4, readDirectorySubtree],
  [0x86, ({ content }) => ({ kind: 'uri', base: latin1(content) })],
  [0x87, readIpSubtree],
  [0x88, () => ({ kind: 'registeredId' })],
])

export function readSubtree(element: Element): Subtree {
  const fields = new Fields(element, 'a subtree of nameConstraints')
  const base = fields.required('base')
  // RFC 5280: minimum is 0, which DER leaves out, and maximum is absent.
  fields.end()
  const read = readers.get(base.tag)
  if (read !== undefined) return read(base)
  return refuse('extension-malformed', 'nameConstraints have a kind of name that is not supported')
}

function readDirectorySubtree(element: Element): Subtree {
  const name = explicitly(element, 'a directory name of nameConstraints')
  readName(name, 'a directory name of nameConstraints')
  return { kind: 'directoryName', name: name.der }
}

function readIpSubtree({ content }: Element): Subtree {
  const half = content.length / 2
  if (half !== 4 && half !== 16) {
    refuse('extension-malformed', 'an address range of nameConstraints is not 8 or 32 octets')
  }
  return { kind: 'ip', network: content.subarray(0, half), mask: content.subarray(half) }
}

/** Whether an excluded subtree holds the name, or a part of it, or cannot be told apart from it. */
export function overlaps(subtree: Subtree, name: GeneralName): boolean {
  if (contains(subtree, name)) return true
  if (subtree.kind !== name.kind) return false
  if (subtree.kind === 'dns' && name.kind === 'dns')
    return isUnderWildcard(subtree.base, name.value)
  if (subtree.kind === 'uri' && name.kind === 'uri') return hostOf(name.value) === undefined
  return subtree.kind === 'otherName' || subtree.kind === 'registeredId'
}

export function contains(subtree: Subtree, name: GeneralName): boolean {
  if (subtree.kind === 'dns' && name.kind === 'dns') return isWithin(name.value, subtree.base)
  if (subtree.kind === 'email' && name.kind === 'email') return holdsMail(subtree.base, name.value)
  if (subtree.kind === 'uri' && name.kind === 'uri') {
    const host = hostOf(name.value)
    return host !== undefined && isHost(host, subtree.base)
  }
  if (subtree.kind === 'ip' && name.kind === 'ip') return holdsAddress(subtree, name.octets)
  if (subtree.kind === 'directoryName' && name.kind === 'directoryName') {
    return holdsDirectory(subtree.name, name.name)
  }
  // For otherName and registeredID no matching is defined: nothing is surely within.
  return false
}

/** The base itself and all below it; with a leading dot only what is below. */
function isWithin(name: string, base: string): boolean {
  const [lowerName, lowerBase] = [name.toLowerCase(), base.toLowerCase()]
  if (lowerBase === '' || lowerName === lowerBase) return true
  return lowerName.endsWith(lowerBase.startsWith('.') ? lowerBase : `.${lowerBase}`)
}

/** Whether `*.parent` could stand for the base. */
function isUnderWildcard(base: string, name: string): boolean {
  const [, ...parent] = base.toLowerCase().split('.')
  return name.toLowerCase() === `*.${parent.join('.')}`
}

/** One mailbox, all of one host, or with a leading dot all of the hosts below a domain. */
function holdsMail(base: string, address: string): boolean {
  const [local, domain] = mailboxParts(address)
  const [baseLocal, baseDomain] = mailboxParts(base)
  if (baseLocal === '') return isHost(domain, base)
  return local === baseLocal && domain.toLowerCase() === baseDomain.toLowerCase()
}

/** No local part: a host or a domain. */
function mailboxParts(text: string): readonly [string, string] {
  const at = text.indexOf('@')
  return [text.slice(0, Math.max(at, 0)), text.slice(at + 1)]
}

/** The host name of a URI, if it has one. */
function hostOf(uri: string): string | undefined {
  const host = /^[^:]*:\/\/(?:[^@/?#]*@)?([^:/?#[\]]+)/.exec(uri)?.[1]
  return host === undefined || /^[0-9.]+$/.test(host) ? undefined : host
}

function isHost(host: string, base: string): boolean {
  return base.startsWith('.') ? isWithin(host, base) : host.toLowerCase() === base.toLowerCase()
}

function holdsAddress({ network, mask }: AddressRange, octets: Uint8Array): boolean {
  if (network.length !== octets.length) return false
  return network.every((octet, i) => (((octets[i] ?? 0) ^ octet) & (mask[i] ?? 0)) === 0)
}

/** Whether the RDNs of `base` are the first of `name`. */
function holdsDirectory(base: Uint8Array, name: Uint8Array): boolean {
  const [baseRdns = [], rdns = []] = [base, name].map((der) =>
    readName(readDer(der, 'a name'), 'a name').map(comparable),
  )
  return baseRdns.every((rdn, i) => rdn === rdns[i])
}

/** Case and white space do not count, nor does the kind of string (RFC 5280 §7.1). */
function comparable(rdn: readonly NameAttribute[]): string {
  const attributes = rdn.map(({ type, text }) => [
    type,
    text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' '),
  ])
  return JSON.stringify(attributes.toSorted())
}

/** A mask of a whole prefix, and no address bits under what it leaves open. */
function checkRange({ network, mask }: AddressRange, rule: Rule): void {
  const bits = [...mask].map((octet) => octet.toString(2).padStart(8, '0')).join('')
  const open = network.some((octet, i) => (octet & ~(mask[i] ?? 0)) !== 0)
  if (open || bits.includes('01')) {
    const shown = `${ipText(network)} with mask ${ipText(mask)}`
    refuse(rule, `${shown} is not an address range: bits stand where the mask leaves them open`)
  }
}

export function subtreeText(subtree: Subtree): string {
  const kind = nameKinds[subtree.kind]
  if (subtree.kind === 'ip') return `${kind} ${ipText(subtree.network)}/${ipText(subtree.mask)}`
  if (subtree.kind === 'directoryName') return `${kind} ${nameText(subtree.name)}`
  return 'base' in subtree ? `${kind} ${JSON.stringify(subtree.base)}` : kind
}
