import type { IssuerSpec } from '../api/issuer.ts'
import type { IssuerKind } from '../api/names.ts'
import type { VaultLocation } from '../vault/cloud.ts'
import { clusterRemedies } from './cluster_remedies.ts'
import { entraRemedies } from './entra_remedies.ts'
import type { Finding } from './finding.ts'
import { type Sighting, sightingOf } from './sighting.ts'
import { vaultRemedies } from './vault_remedies.ts'

/** What commands are filled in with, besides what the message itself says. */
export interface Setting {
  readonly issuer: { readonly kind: IssuerKind; readonly namespace: string; readonly name: string }
  /** Whether the issuer is in the cluster, or in a file alone. */
  readonly stored: boolean
  readonly spec: IssuerSpec | undefined
  readonly location: VaultLocation | undefined
  /** Who was refused where the message names nobody, as `az role assignment` takes it. */
  readonly assignee: string | undefined
  readonly controllerNamespace: string
  /** Where the references of the issuer resolve. */
  readonly referenceNamespace: string
  /** The tenant that the vault trusts. */
  readonly tenantId: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

/** Commands for a shell, in order; none where only words help. */
export type Remedy = (seen: Sighting, setting: Setting) => readonly string[]

/**
 * The remedy of each code, and of `code/detail` where the detail makes it another one: Key Vault's
 * inner code, Entra's code, or one of `sightingOf`.
 */
export const remedies: ReadonlyMap<string, Remedy> = new Map<string, Remedy>([
  ...vaultRemedies,
  ...entraRemedies,
  ...clusterRemedies,
])

/** The commands that mend what was found; none where nothing is wrong, or no command would help. */
export function remedyOf({ code, message }: Finding, setting: Setting): readonly string[] {
  if (code === undefined) return []
  const seen = sightingOf(message)
  const remedy = remedies.get(`${code}/${seen.detail}`) ?? remedies.get(code)
  return remedy?.(seen, setting) ?? []
}
