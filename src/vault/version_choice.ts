import type { ErrorCode } from '../error.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { type CertificateNames, namesOf } from '../pki/certificate_names.ts'
import type { CertificateReader, CertificateVersion, CertificateVersionInfo } from './vault.ts'

/** A version that may be handed out. */
export interface UsableVersion {
  readonly version: string
  readonly certificate: Certificate
  readonly names: CertificateNames
}

/** Why something is not as it should be, in words for a status. */
export interface Trouble {
  readonly code: ErrorCode
  readonly message: string
}

export interface VersionChoice {
  /** The newest version that is usable. */
  readonly current: UsableVersion | undefined
  /** Why that is not the newest of all, or why there is none. */
  readonly trouble: Trouble | undefined
  /** When the newest version becomes valid, if that lies ahead: milliseconds since the epoch. */
  readonly usableFrom: number | undefined
}

/** Older versions that are read, at most, to find one that is usable. */
const maxReads = 3

/**
 * Finds the newest usable version, with one request while that is the latest one. A version that is
 * disabled, not there yet, outside its dates or unreadable is passed over, and its reason is kept.
 *
 * @param known a version read before; it is not read again
 * @throws IssuerError of the vault; `VaultNotFound` for a certificate that is not there
 */
export async function chooseVersion(
  vault: CertificateReader,
  name: string,
  known: UsableVersion | undefined,
  now: number,
  signal: AbortSignal,
): Promise<VersionChoice> {
  const latest = await vault.latestCertificate(name, signal)
  const found = readVersion(latest, known, now)
  if (typeof found !== 'string')
    return { current: found, trouble: undefined, usableFrom: undefined }

  const newest = latest.version === '' ? 'the first version' : `version ${latest.version}`
  const current = await newestOlder(vault, name, latest, known, now, signal)
  const serving = current
    ? `version ${current.version} serves on`
    : 'there is no other version to use'
  const ahead = latest.enabled && latest.notBefore !== undefined && latest.notBefore > now
  return {
    current,
    trouble: {
      code: 'CertificateInvalid',
      message: `${newest} of certificate "${name}" ${found}; ${serving}`,
    },
    usableFrom: ahead ? latest.notBefore : undefined,
  }
}

async function newestOlder(
  vault: CertificateReader,
  name: string,
  latest: CertificateVersion,
  known: UsableVersion | undefined,
  now: number,
  signal: AbortSignal,
): Promise<UsableVersion | undefined> {
  const versions = await vault.certificateVersions(name, signal)
  const candidates = versions
    .filter((info) => info.version !== latest.version && unusable(info, now) === undefined)
    .sort((a, b) => b.created - a.created)
  for (const info of candidates.slice(0, maxReads)) {
    if (info.version === known?.version) return known
    const { der } = await vault.certificate({ name, version: info.version }, signal)
    const found = readVersion({ ...info, der }, known, now)
    if (typeof found !== 'string') return found
  }
  return undefined
}

/** The version, or what is wrong with it, as `is disabled`. */
export function readVersion(
  version: CertificateVersion,
  known: UsableVersion | undefined,
  now: number,
): UsableVersion | string {
  if (version.der === undefined) return 'is still being made'
  const fault = unusable(version, now)
  if (fault !== undefined) return fault
  if (version.version === known?.version) return known
  const parsed = parseCertificate(version.der)
  if (!parsed.ok) return `cannot be used: ${parsed.refusal.message}`
  const certificate = parsed.value
  return { version: version.version, certificate, names: namesOf(certificate) }
}

function unusable(info: CertificateVersionInfo, now: number): string | undefined {
  const { enabled, notBefore, notAfter } = info
  if (!enabled) return 'is disabled'
  if (notAfter !== undefined && notAfter <= now) return `expired at ${dateText(notAfter)}`
  if (notBefore !== undefined && notBefore > now)
    return `is not valid before ${dateText(notBefore)}`
  return undefined
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}
