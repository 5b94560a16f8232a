import { createPrivateKey, type JsonWebKey, X509Certificate } from 'node:crypto'
import type { Random } from '../random.ts'
import { keyOpsOf } from './certificate_policy.ts'
import { vaultError } from './errors.ts'
import { defaultKeyOps, isHsm } from './key_kinds.ts'
import { addVersion, newVersionId, refuseDeletedName, seconds } from './objects.ts'
import { writePfx } from './pkcs12_write.ts'
import { pemType } from './policy_request.ts'
import type { CertificatePolicy, CertificateVersion, Tags, VaultState } from './state.ts'

/** A certificate with its key, from whichever way it came. */
export interface Issued {
  readonly name: string
  readonly jwk: JsonWebKey
  readonly leaf: X509Certificate
  /** With the leaf, in the order to keep. */
  readonly chain: readonly X509Certificate[]
  readonly policy: CertificatePolicy
  readonly enabled: boolean
  readonly tags?: Tags
  readonly preserveCertOrder?: boolean
}

/** Makes it a version: certificate, key and secret of one name, version and life (recorded). */
export function publish(
  vault: VaultState,
  issued: Issued,
  nowMs: number,
  random: Random,
): CertificateVersion {
  const { name, leaf, policy, jwk, preserveCertOrder } = issued
  const { kty } = policy.key_props
  const now = seconds(nowMs)
  const shared = {
    version: newVersionId(random),
    attributes: {
      enabled: issued.enabled,
      nbf: seconds(leaf.validFromDate.getTime()),
      exp: seconds(leaf.validToDate.getTime()),
      created: now,
      updated: now,
    },
    ...(issued.tags && { tags: issued.tags }),
  }
  const certificate: CertificateVersion = {
    ...shared,
    cer: leaf.raw.toString('base64'),
    ...(preserveCertOrder !== undefined && { preserveCertOrder }),
  }
  dropPlaceholder(vault, name)
  addVersion(vault.certificates, 'certificate', name, certificate)
  addVersion(vault.keys, 'key', name, {
    ...shared,
    kty,
    jwk,
    keyOps: keyOpsOf(policy.x509_props.key_usage, defaultKeyOps[jwk.kty === 'EC' ? 'EC' : 'RSA']),
    managed: true,
  })
  addVersion(vault.secrets, 'secret', name, {
    ...shared,
    contentType: policy.secret_props.contentType,
    value: secretValue(issued, shared.version, random),
    managed: true,
  })
  return certificate
}

/** The name must be free, or this certificate's, in all three collections. */
export function refuseForeignName(vault: VaultState, name: string): void {
  const { certificates, keys, secrets } = vault
  refuseDeletedName(certificates, 'certificate', name)
  refuseDeletedName(keys, 'key', name)
  refuseDeletedName(secrets, 'secret', name)
  const id = name.toLowerCase()
  if (certificates.live.has(id)) return
  if (keys.live.has(id) || secrets.live.has(id)) {
    throw vaultError(409, 'Conflict', `A key or secret named ${name} exists already.`)
  }
}

/** Documented word for word. */
export function refuseWhilePending(vault: VaultState, name: string): void {
  if (vault.issuance.get(name.toLowerCase())?.pending?.status !== 'inProgress') return
  throw vaultError(
    409,
    'Forbidden',
    "A new key vault certificate can not be created or imported while a pending key vault certificate's status is inProgress.",
  )
}

/** What stands for a first version until there is one. */
export function dropPlaceholder(vault: VaultState, name: string): void {
  const id = name.toLowerCase()
  const versions = vault.certificates.live.get(id)?.versions
  if (versions?.at(-1)?.cer !== undefined) return
  vault.certificates.live.delete(id)
}

/**
 * PEM from the leaf up; a PFX the other way round unless its order is to be kept (reported in
 * notation-azure-kv#136). A key that is not exportable is left out.
 */
function secretValue(issued: Issued, version: string, random: Random): string {
  const { policy, chain, leaf, jwk } = issued
  const { exportable, kty } = policy.key_props
  const key = exportable && !isHsm(kty) ? createPrivateKey({ key: jwk, format: 'jwk' }) : undefined
  if (policy.secret_props.contentType === pemType) {
    const keyPem = key ? key.export({ format: 'pem', type: 'pkcs8' }).toString() : ''
    return [keyPem, ...chain].join('')
  }
  const ordered = issued.preserveCertOrder === true ? chain : chain.toReversed()
  const file = writePfx(
    {
      ...(key && { key: key.export({ format: 'der', type: 'pkcs8' }) }),
      certificates: ordered.map(({ raw }) => raw),
      leaf: leaf.raw,
      keyName: version,
    },
    random,
  )
  return Buffer.from(file).toString('base64')
}

export function parseCertificate(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}
