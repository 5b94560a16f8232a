import { type Authority, pathOf } from './authority.ts'
import type { CertificateSigningRequest } from './csr.ts'
import { readDer } from './der.ts'
import { type GeneralName, generalNameText, type NameKind, nameKinds } from './general_names.ts'
import { checkConstraints } from './name_constraints.ts'
import { isEmptyName, nameText, readName } from './names.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'

/** Refuses a request that names nobody, or somebody that this issuer or its CAs may not name. */
export function checkIdentity(
  csr: CertificateSigningRequest,
  isCA: boolean,
  kinds: readonly NameKind[] | undefined,
  authority: Authority,
): void {
  const names = csr.extensions.subjectAltName ?? []
  if (names.length === 0 && isEmptyName(csr.subject)) {
    refuse(
      'identity-missing',
      'the CSR has neither a subject nor alternative names; ask for a name',
    )
  }
  for (const name of names) checkKind(name, kinds)
  const constrained = constrainedNames(csr, isCA)
  for (const { extensions, subject } of pathOf(authority)) {
    const constraints = extensions.nameConstraints
    if (constraints) checkConstraints(constraints, constrained, nameText(subject))
  }
}

function checkKind(name: GeneralName, kinds: readonly NameKind[] = ['dns']): void {
  if (kinds.includes(name.kind)) return
  const allowed = kinds.map((kind) => nameKinds[kind]).join(', ')
  refuse(
    'san-kind',
    `${generalNameText(name)}: this issuer gives certificates for these kinds of names only: ${allowed}; leave out each ${nameKinds[name.kind]}`,
  )
}

/**
 * The subject counts as a directory name, and email addresses in it as such (RFC 5280 §4.2.1.10).
 * Where no alternative name is a DNS name, clients take a common name for one, and OpenSSL holds it
 * to the constraints of DNS names (NAME_CONSTRAINTS_check_CN).
 */
function constrainedNames(csr: CertificateSigningRequest, isCA: boolean): readonly GeneralName[] {
  const names = csr.extensions.subjectAltName ?? []
  if (isEmptyName(csr.subject)) return names
  const attributes = readName(readDer(csr.subject, 'the subject'), 'the subject').flat()
  const emails = attributes.filter(({ type }) => type === oid.emailAddress)
  const hostsCount = !isCA && !names.some(({ kind }) => kind === 'dns')
  const hosts = attributes.filter(
    ({ type, text }) => hostsCount && type === oid.commonName && looksLikeHost.test(text),
  )
  return [
    ...names,
    { kind: 'directoryName', name: csr.subject },
    ...emails.map(({ text }) => ({ kind: 'email', value: text }) as const),
    ...hosts.map(({ text }) => ({ kind: 'dns', value: text }) as const),
  ]
}

/** Two labels or more, as OpenSSL has it; a wildcard too, since older clients match it. */
const looksLikeHost =
  /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)+$/
