import { hex } from './bytes.ts'
import { readDer } from './der.ts'
import type { Extensions } from './extensions.ts'
import type { GeneralName } from './general_names.ts'
import { readName } from './names.ts'
import { oid } from './oids.ts'

/**
 * Who a certificate is for, as cert-manager compares it with a Certificate's spec: the common name
 * counts among the DNS names (pkg/util/pki/match.go, FuzzyX509AltNamesMatchSpec).
 */
export interface CertificateNames {
  readonly commonName: string | undefined
  readonly dns: ReadonlySet<string>
  /** In one spelling, see `canonicalIp`. */
  readonly ip: ReadonlySet<string>
  readonly uri: ReadonlySet<string>
  readonly email: ReadonlySet<string>
  /** Names of other kinds. A certificate may have more of them than are asked for. */
  readonly other: ReadonlySet<string>
}

/** The names of a certificate or of a certification request. */
export function namesOf(from: {
  readonly subject: Uint8Array
  readonly extensions: Extensions
}): CertificateNames {
  const all = from.extensions.subjectAltName ?? []
  const attributes = readName(readDer(from.subject, 'the subject'), 'the subject').flat()
  const of = (kind: 'dns' | 'uri' | 'email' | 'ip') =>
    new Set(all.flatMap((name) => (name.kind === kind ? [name.value] : [])))
  return {
    commonName: attributes.findLast(({ type }) => type === oid.commonName)?.text,
    dns: of('dns'),
    ip: new Set([...of('ip')].map(canonicalIp)),
    uri: of('uri'),
    email: of('email'),
    other: new Set(all.flatMap(otherNameText)),
  }
}

/** Whether a certificate with the names `offered` is for those `wanted`, no more and no fewer. */
export function sameNames(offered: CertificateNames, wanted: CertificateNames): boolean {
  return (
    sameSet(hostNames(offered), hostNames(wanted)) &&
    sameSet(offered.ip, wanted.ip) &&
    sameSet(offered.uri, wanted.uri) &&
    sameSet(offered.email, wanted.email) &&
    isSubset(wanted.other, offered.other)
  )
}

/** The more names two have in common and the fewer they have for themselves, the larger. */
export function likeness(a: CertificateNames, b: CertificateNames): number {
  const [ours, theirs] = [allNames(a), allNames(b)]
  const shared = [...ours].filter((name) => theirs.has(name)).length
  return 4 * shared - ours.size - theirs.size
}

/** For messages: `DNS names [a, b], IP addresses [10.0.0.1]`. */
export function namesText(names: CertificateNames): string {
  const parts = [
    ['DNS names', hostNames(names)],
    ['IP addresses', names.ip],
    ['URIs', names.uri],
    ['email addresses', names.email],
  ] as const
  const texts = parts.flatMap(([what, values]) =>
    values.size === 0 ? [] : [`${what} [${listText([...values])}]`],
  )
  return texts.length === 0 ? 'no names' : texts.join(', ')
}

const maxListed = 10

function listText(values: readonly string[]): string {
  const more = values.length - maxListed
  return values.slice(0, maxListed).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** An IP address in the one spelling of the WHATWG URL standard; other text as it is. */
export function canonicalIp(text: string): string {
  const host = URL.parse(text.includes(':') ? `http://[${text}]` : `http://${text}`)?.hostname
  return host?.replace(/^\[|\]$/g, '') ?? text
}

function hostNames({ commonName, dns }: CertificateNames): ReadonlySet<string> {
  return commonName === undefined ? dns : new Set([...dns, commonName])
}

function allNames(names: CertificateNames): ReadonlySet<string> {
  return new Set([...hostNames(names), ...names.ip, ...names.uri, ...names.email])
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && isSubset(a, b)
}

function isSubset(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return [...a].every((one) => b.has(one))
}

function otherNameText(name: GeneralName): readonly string[] {
  if (name.kind === 'otherName') return [`otherName ${name.typeId} ${hex(name.value)}`]
  if (name.kind === 'directoryName') return [`directoryName ${hex(name.name)}`]
  return name.kind === 'registeredId' ? [`registeredID ${name.oid}`] : []
}
