import type { Certificate, PrivateKeySpec } from '../api/certificate.ts'
import type { Certificate as X509 } from '../pki/certificate.ts'
import {
  type CertificateNames,
  canonicalIp,
  namesText,
  sameNames,
} from '../pki/certificate_names.ts'
import { keyUsage, keyUsageText, purposesText, readUsages } from '../pki/key_usage.ts'
import { oid } from '../pki/oids.ts'
import { parsed } from '../pki/refusal.ts'
import { describeKey, type SubjectKey } from '../pki/subject_key.ts'
import type { UsableVersion } from '../vault/version_choice.ts'

/** What a certificate is wanted for. */
export interface Wanted {
  readonly names: CertificateNames
  /** Of the Certificate; absent where nobody said. */
  readonly privateKey?: PrivateKeySpec | undefined
  /** cert-manager's names, as far as they were spelled out. */
  readonly usages: readonly string[]
}

/** Why a certificate does not fit, or `undefined` when it does. */
export function misfit(offered: UsableVersion, wanted: Wanted): string | undefined {
  const { certificate, names } = offered
  return (
    namesMisfit(names, wanted) ??
    keyMisfit(certificate.key, wanted) ??
    usageMisfit(certificate, wanted)
  )
}

/** cert-manager would take the Secret for one of another Certificate if these differed. */
function namesMisfit(its: CertificateNames, { names }: Wanted): string | undefined {
  if (sameNames(its, names)) return undefined
  return `it is for ${namesText(its)}, and ${namesText(names)} are asked for`
}

/** A key of another type or size would be thrown away and made anew by cert-manager, for ever. */
function keyMisfit(key: SubjectKey, { privateKey }: Wanted): string | undefined {
  if (privateKey === undefined) return undefined
  const its = keySpecOf(key)
  if (its.algorithm === privateKey.algorithm && its.size === privateKey.size) return undefined
  const { algorithm, size } = privateKey
  const asked = size === 0 ? algorithm : `${algorithm} ${size}`
  return `its key is ${describeKey(key)}, and spec.privateKey asks for ${asked}`
}

function usageMisfit({ key, extensions }: X509, { usages }: Wanted): string | undefined {
  if (usages.length === 0) return undefined
  const asked = parsed(() => readUsages(usages, false))
  if (!asked.ok) return asked.refusal.message
  const bits = extensions.keyUsage
  // cert-manager's default asks for key encipherment whatever the key is; only RSA can do it.
  const sensible =
    key.kind === 'rsa' ? asked.value.keyUsage : asked.value.keyUsage & ~keyUsage.keyEncipherment
  const lacking = bits === undefined ? 0 : sensible & ~bits
  if (lacking !== 0) return `it is not good for usages ${keyUsageText(lacking)}`
  const purposes = extensions.extendedKeyUsage
  if (purposes === undefined || purposes.includes(oid.anyExtendedKeyUsage)) return undefined
  const without = asked.value.purposes.filter((purpose) => !purposes.includes(purpose))
  return without.length > 0 ? `it is not good for usages ${purposesText(without)}` : undefined
}

/** What a Certificate's spec asks for, before cert-manager made a CSR of it. */
export function wantedBy({ names, privateKey }: Certificate): Wanted {
  const { commonName, literalSubject, dnsNames, ipAddresses, uris, emailAddresses } = names
  return {
    names: {
      commonName: literalSubject === undefined ? commonName : commonNameIn(literalSubject),
      dns: new Set(dnsNames),
      ip: new Set(ipAddresses.map(canonicalIp)),
      uri: new Set(uris),
      email: new Set(emailAddresses),
      other: new Set(),
    },
    privateKey,
    usages: [],
  }
}

/** The lines of a Certificate's spec that fit the certificate, to be pasted. */
export function blockFor({ certificate, names }: UsableVersion): string {
  const { commonName } = names
  const { algorithm, size } = keySpecOf(certificate.key)
  const lists = [
    ['dnsNames', names.dns],
    ['ipAddresses', names.ip],
    ['uris', names.uri],
    ['emailAddresses', names.email],
  ] as const
  return [
    ...(commonName === undefined || names.dns.has(commonName)
      ? []
      : [`commonName: ${JSON.stringify(commonName)}`]),
    ...lists.flatMap(([field, values]) =>
      values.size === 0 ? [] : [`${field}: ${JSON.stringify([...values])}`],
    ),
    `privateKey: {algorithm: ${algorithm}${size === 0 ? '' : `, size: ${size}`}}`,
  ].join('\n')
}

function keySpecOf(key: SubjectKey): PrivateKeySpec {
  if (key.kind === 'rsa') return { algorithm: 'RSA', size: key.bits }
  return key.kind === 'ec'
    ? { algorithm: 'ECDSA', size: Number(key.curve.slice(2)) }
    : { algorithm: 'Ed25519', size: 0 }
}

function commonNameIn(subject: string): string | undefined {
  const match = /(?:^|[,+])\s*CN\s*=\s*((?:\\.|[^,+\\])+)/i.exec(subject)
  return match?.[1]?.trim().replace(/\\(.)/g, '$1')
}
