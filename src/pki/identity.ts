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
  allowedKinds: readonly NameKind[],
  authority: Authority,
): void {
  const names = csr.extensions.subjectAltName ?? []
  if (names.length === 0 && isEmptyName(csr.subject)) {
    refuse(
      'identity-missing',
      'the CSR has neither a subject nor alternative names; ask for a name',
    )
  }
  const closed = names.find((name) => !allowedKinds.includes(name.kind))
  if (closed !== undefined) {
    const allowed = allowedKinds.map((kind) => nameKinds[kind]).join(', ')
    refuse(
      'san-kind',
      `${generalNameText(closed)}: this issuer gives certificates for these kinds of names only: ${allowed}; leave out each ${nameKinds[closed.kind]}`,
    )
  }
  for (const { extensions, subject } of pathOf(authority)) {
    const constraints = extensions.nameConstraints
    if (constraints) checkConstraints(constraints, constrainedNames(csr), nameText(subject))
  }
}

/** The subject counts as a directory name, and email addresses in it as such (RFC 5280 §4.2.1.10). */
function constrainedNames(csr: CertificateSigningRequest): readonly GeneralName[] {
  const names = csr.extensions.subjectAltName ?? []
  if (isEmptyName(csr.subject)) return names
  const attributes = readName(readDer(csr.subject, 'the subject'), 'the subject').flat()
  const emails = attributes.filter(({ type }) => type === oid.emailAddress)
  return [
    ...names,
    { kind: 'directoryName', name: csr.subject },
    ...emails.map(({ text }) => ({ kind: 'email', value: text }) as const),
  ]
}
