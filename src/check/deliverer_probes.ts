import { type DeliverableEntry, isPattern } from '../api/delivery.ts'
import { readMaterial } from '../issuance/key_material_cache.ts'
import { expiryNoticeMs } from '../pki/authority_notes.ts'
import { namesText } from '../pki/certificate_names.ts'
import { nameText } from '../pki/names.ts'
import { describeKey } from '../pki/subject_key.ts'
import { timeText } from '../pki/times.ts'
import type { Vault } from '../vault/vault.ts'
import { chooseVersion, type UsableVersion } from '../vault/version_choice.ts'
import { attempt } from './attempt.ts'
import { type Finding, failed, ok, skipped, warning } from './finding.ts'

export interface DelivererPlace {
  readonly vault: Vault
  /** Whether private keys are fetched as a delivery does. They are dropped at once. */
  readonly withKeys: boolean
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly signal: AbortSignal
}

/** Goes through all that an issuer may deliver, each by the controller's own choice of a version. */
export async function probeEntries(
  entries: readonly DeliverableEntry[],
  place: DelivererPlace,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const entry of entries) {
    findings.push(
      ...(isPattern(entry)
        ? [skipped(entry.name, 'a pattern: what it stands for is chosen by each Certificate')]
        : await probeEntry(entry.name, place)),
    )
  }
  return findings
}

async function probeEntry(name: string, place: DelivererPlace): Promise<readonly Finding[]> {
  const { vault, now, signal } = place
  const choice = await attempt(name, signal, () =>
    chooseVersion(vault, name, undefined, now, signal),
  )
  if (!choice.ok) return [choice.finding]
  const { current, trouble } = choice.value
  if (current === undefined) {
    const what = trouble?.message ?? `certificate "${name}" has no version that can be used`
    return [failed(name, trouble?.code ?? 'CertificateInvalid', what)]
  }
  const { certificate, names, version } = current
  const until = timeText(certificate.notAfter)
  const what = `version ${version}, ${describeKey(certificate.key)}, ${namesText(names)}, valid until ${until}`
  return [
    trouble === undefined ? ok(name, what) : warning(name, trouble.message, trouble.code),
    ...(certificate.notAfter - now < expiryNoticeMs
      ? [warning(`${name} expiry`, `it expires at ${until}, and Key Vault has nothing newer`)]
      : []),
    await keyFinding(name, current, place),
  ]
}

async function keyFinding(
  name: string,
  version: UsableVersion,
  { vault, withKeys, signal }: DelivererPlace,
): Promise<Finding> {
  const probe = `${name} key`
  if (!withKeys) {
    const why =
      'not read: a delivery takes the private key out of the vault; --with-keys does the same'
    return skipped(probe, why)
  }
  const read = await attempt(probe, signal, async () => {
    const { missing, root } = await readMaterial(vault, name, version, signal)
    return { missing, root: root && nameText(root.subject) }
  })
  if (!read.ok) return read.finding
  const { missing, root } = read.value
  return missing.length > 0
    ? warning(probe, `it can be delivered; ${missing.join('; ')}`)
    : ok(probe, `it can be delivered, with its chain up to "${root}"`)
}
