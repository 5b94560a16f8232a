import { createHash } from 'node:crypto'
import { checkAuthority, pathOf } from '../pki/authority.ts'
import { expiryNotes, limitNotes } from '../pki/authority_notes.ts'
import { sameBytes } from '../pki/bytes.ts'
import { type Certificate, parsePemCertificates } from '../pki/certificate.ts'
import { nameText, serialText } from '../pki/names.ts'
import { describeKey } from '../pki/subject_key.ts'
import { timeText } from '../pki/times.ts'
import type { StoredText, VaultKey } from '../vault/key_keeper.ts'

/** What a CA is, for people and for the record. */
export interface CaReport {
  readonly key: KeyReport | undefined
  readonly certificate: CertificateReport | undefined
  /** Where the vault keeps the certificate. */
  readonly secretId: string | undefined
  /** From the one above the CA up to the root. */
  readonly chain: readonly CertificateReport[]
  /** Why it cannot issue, a sentence each. */
  readonly problems: readonly string[]
  /** What it will refuse, and what ends soon. */
  readonly notes: readonly string[]
}

export interface KeyReport {
  readonly id: string
  readonly type: string
  readonly protection: string
  readonly created: string
  readonly enabled: boolean
}

export interface CertificateReport {
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  readonly notBefore: string
  readonly notAfter: string
  readonly pathLength: number | undefined
  /** Of the DER, hex. */
  readonly sha256: string
}

/** Holds key and certificate of a CA against each other and against the rules of a chain. */
export function reportOf(
  key: VaultKey | undefined,
  stored: (Pick<StoredText, 'value'> & { readonly id: string }) | undefined,
  now: number,
): CaReport {
  const parsed = stored && parsePemCertificates(stored.value)
  const [certificate, ...pool] = parsed?.ok ? parsed.value : []
  const authority = certificate && checkAuthority({ certificate, pool, now })
  const above = authority?.ok ? pathOf(authority.value).filter((ca) => ca !== certificate) : pool
  const problems = [
    ...(key === undefined ? ['the vault has no such key'] : keyProblems(key, certificate)),
    ...(stored === undefined ? ['the vault keeps no certificate for it yet'] : []),
    ...(parsed === undefined || parsed.ok ? [] : [parsed.refusal.message]),
    ...(authority === undefined || authority.ok ? [] : [authority.refusal.message]),
  ]
  return {
    key: key && {
      id: key.id,
      type: describeKey(key.publicKey),
      protection: key.protection,
      created: timeText(key.created),
      enabled: key.enabled,
    },
    certificate: certificate && certificateReport(certificate),
    secretId: stored?.id,
    chain: above.map(certificateReport),
    problems,
    notes: authority?.ok
      ? [...expiryNotes(authority.value, now), ...limitNotes(authority.value)]
      : [],
  }
}

export function certificateReport(certificate: Certificate): CertificateReport {
  return {
    subject: nameText(certificate.subject),
    issuer: nameText(certificate.issuer),
    serial: serialText(certificate.serialNumber),
    notBefore: timeText(certificate.notBefore),
    notAfter: timeText(certificate.notAfter),
    pathLength: certificate.extensions.basicConstraints?.pathLength,
    sha256: createHash('sha256').update(certificate.der).digest('hex'),
  }
}

/** For a terminal. */
export function reportText({
  key,
  certificate,
  secretId,
  chain,
  problems,
  notes,
}: CaReport): string {
  const lines = [
    ...(key === undefined
      ? []
      : [
          `key          ${key.id}`,
          `             ${key.type}, ${key.protection}, made at ${key.created}${key.enabled ? '' : ', disabled'}`,
        ]),
    ...(certificate === undefined ? [] : certificateLines('certificate  ', certificate)),
    ...(secretId === undefined ? [] : [`kept in      ${secretId}`]),
    ...chain.flatMap((one) => certificateLines('issued by    ', one)),
    ...problems.map((problem) => `problem      ${problem}`),
    ...notes.map((note) => `note         ${note}`),
  ]
  return `${lines.join('\n')}\n`
}

function certificateLines(head: string, one: CertificateReport): readonly string[] {
  const room =
    one.pathLength === undefined ? 'no limit of CAs below' : `at most ${one.pathLength} CAs below`
  return [
    `${head}${one.subject}`,
    `  serial     ${one.serial}`,
    `  sha256     ${one.sha256}`,
    `  valid      ${one.notBefore} to ${one.notAfter}; ${room}`,
  ]
}

function keyProblems(key: VaultKey, certificate: Certificate | undefined): readonly string[] {
  const mismatch =
    certificate !== undefined && !sameBytes(certificate.key.spki, key.publicKey.spki)
      ? [
          `the certificate is not for version ${key.ref.version} of the key; name the right one by --key-version`,
        ]
      : []
  return [...mismatch, ...(key.enabled ? [] : ['the key is disabled'])]
}
