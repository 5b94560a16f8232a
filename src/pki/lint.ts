import type { Authority } from './authority.ts'
import { sameBytes } from './bytes.ts'
import type { Certificate } from './certificate.ts'
import { keyUsage } from './key_usage.ts'
import { isEmptyName } from './names.ts'
import { oid } from './oids.ts'
import type { SubjectKey } from './subject_key.ts'

/**
 * The names of the lints that find a fault in `certificate`, to be issued by `authority`. A second
 * opinion: the lints look at the encoding read back and know nothing of how it was decided. Names
 * are zlint's where it has one.
 */
export function lintCertificate(certificate: Certificate, authority: Authority): readonly string[] {
  const issuer = authority.certificate
  return [...lints].flatMap(([name, finds]) => (finds(certificate, issuer) ? [name] : []))
}

/** The same for a root, which issues itself: two lints are about an issuer that is another. */
export function lintRoot(certificate: Certificate): readonly string[] {
  return [...lints].flatMap(([name, finds]) =>
    !notForRoots.has(name) && finds(certificate, certificate) ? [name] : [],
  )
}

const notForRoots: ReadonlySet<string> = new Set([
  'e_subject_public_key_is_issuers',
  'e_path_len_constraint_not_below_issuer',
])

type Lint = (certificate: Certificate, issuer: Certificate) => boolean

/** By name: whether a certificate has the fault. */
export const lints: ReadonlyMap<string, Lint> = new Map<string, Lint>([
  [
    'e_serial_number_not_positive',
    ({ serialNumber: [first = 0, ...rest] }) => first >= 0x80 || (first === 0 && rest.length === 0),
  ],
  ['e_serial_number_longer_than_20_octets', ({ serialNumber }) => serialNumber.length > 20],
  ['e_serial_number_low_entropy', ({ serialNumber }) => serialNumber.length < 16],
  ['e_issuer_field_empty', ({ issuer }) => isEmptyName(issuer)],
  ['e_issuer_dn_not_issuer_subject', ({ issuer }, ca) => !sameBytes(issuer, ca.subject)],
  ['e_validity_time_not_positive', ({ notBefore, notAfter }) => notAfter <= notBefore],
  [
    'e_validity_outside_issuer',
    ({ notBefore, notAfter }, ca) => notBefore < ca.notBefore || notAfter > ca.notAfter,
  ],
  ['e_subject_public_key_is_issuers', ({ key }, ca) => sameBytes(key.spki, ca.key.spki)],

  ['e_basic_constraints_missing', ({ extensions }) => extensions.basicConstraints === undefined],
  ['e_basic_constraints_not_critical', isNotCritical(oid.basicConstraints)],
  [
    'e_path_len_constraint_improperly_included',
    (certificate) =>
      certificate.extensions.basicConstraints?.pathLength !== undefined &&
      !signsCertificates(certificate),
  ],
  [
    'e_path_len_constraint_not_below_issuer',
    (certificate, ca) =>
      isCa(certificate) &&
      pathLengthOf(certificate) >= pathLengthOf(ca) &&
      pathLengthOf(ca) !== unlimited,
  ],
  [
    'e_ca_subject_field_empty',
    (certificate) => isCa(certificate) && isEmptyName(certificate.subject),
  ],

  ['e_ext_key_usage_not_critical', isNotCritical(oid.keyUsage)],
  [
    'e_ext_key_usage_cert_sign_without_ca',
    (certificate) => signsCertificates(certificate) && !isCa(certificate),
  ],
  [
    'e_ca_key_cert_sign_not_set',
    (certificate) => isCa(certificate) && !signsCertificates(certificate),
  ],
  [
    'e_key_usage_not_for_key_type',
    ({ extensions, key }) => ((extensions.keyUsage ?? 0) & forbiddenUsages[key.kind]) !== 0,
  ],

  [
    'e_eku_critical_improperly',
    (certificate) =>
      isCritical(oid.extKeyUsage)(certificate) &&
      !certificate.extensions.extendedKeyUsage?.includes(oid.timeStamping),
  ],
  [
    'e_eku_duplicate',
    ({ extensions: { extendedKeyUsage = [] } }) =>
      new Set(extendedKeyUsage).size !== extendedKeyUsage.length,
  ],

  [
    'e_subject_empty_without_san',
    ({ subject, extensions }) => isEmptyName(subject) && extensions.subjectAltName === undefined,
  ],
  [
    'e_ext_san_not_critical_without_subject',
    (certificate) =>
      isEmptyName(certificate.subject) && isNotCritical(oid.subjectAltName)(certificate),
  ],
  [
    'w_ext_san_critical_with_subject_dn',
    (certificate) =>
      !isEmptyName(certificate.subject) && isCritical(oid.subjectAltName)(certificate),
  ],

  [
    'e_ext_subject_key_identifier_missing',
    ({ extensions }) => extensions.subjectKeyIdentifier === undefined,
  ],
  ['e_ext_subject_key_identifier_critical', isCritical(oid.subjectKeyIdentifier)],
  [
    'e_ext_authority_key_identifier_missing',
    ({ extensions }) => extensions.authorityKeyIdentifier === undefined,
  ],
  ['e_ext_authority_key_identifier_critical', isCritical(oid.authorityKeyIdentifier)],
  [
    'e_ext_authority_key_identifier_not_issuers',
    ({ extensions }, ca) => {
      const own = extensions.authorityKeyIdentifier
      const issuers = ca.extensions.subjectKeyIdentifier
      return own !== undefined && issuers !== undefined && !sameBytes(own, issuers)
    },
  ],
  ['e_ext_aia_marked_critical', isCritical(oid.authorityInfoAccess)],
  ['w_ext_crl_distribution_marked_critical', isCritical(oid.crlDistributionPoints)],
  [
    'e_ext_name_constraints_not_in_ca',
    (certificate) => certificate.extensions.nameConstraints !== undefined && !isCa(certificate),
  ],
  ['e_ext_name_constraints_not_critical', isNotCritical(oid.nameConstraints)],
])

const encipherment = keyUsage.keyEncipherment | keyUsage.dataEncipherment

/** zlint's e_ecdsa_allowed_ku and e_rsa_allowed_ku_ee, and RFC 8410 §5. */
const forbiddenUsages: Readonly<Record<SubjectKey['kind'], number>> = {
  rsa: keyUsage.keyAgreement | keyUsage.encipherOnly | keyUsage.decipherOnly,
  ec: encipherment,
  ed25519: encipherment | keyUsage.keyAgreement | keyUsage.encipherOnly | keyUsage.decipherOnly,
}

const unlimited = Number.POSITIVE_INFINITY

function pathLengthOf({ extensions }: Certificate): number {
  return extensions.basicConstraints?.pathLength ?? unlimited
}

function isCa({ extensions }: Certificate): boolean {
  return extensions.basicConstraints?.ca === true
}

function signsCertificates({ extensions }: Certificate): boolean {
  return ((extensions.keyUsage ?? 0) & keyUsage.keyCertSign) !== 0
}

function isCritical(id: string): (certificate: Certificate) => boolean {
  return ({ extensions }) => extensions.all.some((one) => one.oid === id && one.critical)
}

function isNotCritical(id: string): (certificate: Certificate) => boolean {
  return ({ extensions }) => extensions.all.some((one) => one.oid === id && !one.critical)
}
