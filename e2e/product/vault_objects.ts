import type { KeyObject } from 'node:crypto'
import { textAt } from '../harness/json.ts'
import type { DevVault } from './dev_vault.ts'

/** How an issuer's spec names a Key Vault object. */
export interface VaultRef {
  readonly name: string
  readonly version: string
}

/** Imports a private key that may sign and verify. */
export async function importKey(
  vault: DevVault,
  name: string,
  privateKey: KeyObject,
): Promise<VaultRef> {
  const jwk = privateKey.export({ format: 'jwk' })
  const key = { ...jwk, key_ops: ['sign', 'verify'] }
  const made = await vault.manage('PUT', `keys/${name}`, { key })
  return refOf(name, textAt(made, 'key', 'kid'))
}

/** Imports a certificate with its private key; certificate, key and secret share the reference. */
export async function importCertificate(
  vault: DevVault,
  name: string,
  certificatePem: string,
  privateKey: KeyObject,
): Promise<VaultRef> {
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const made = await vault.manage('POST', `certificates/${name}/import`, {
    value: `${keyPem}${certificatePem}`,
    policy: { secret_props: { contentType: 'application/x-pem-file' } },
  })
  return refOf(name, textAt(made, 'id'))
}

export async function setSecret(vault: DevVault, name: string, value: string): Promise<VaultRef> {
  return refOf(name, textAt(await vault.manage('PUT', `secrets/${name}`, { value }), 'id'))
}

function refOf(name: string, id: string): VaultRef {
  return { name, version: id.slice(id.lastIndexOf('/') + 1) }
}
