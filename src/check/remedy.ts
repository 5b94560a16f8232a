import { clusterRemedies } from './cluster_remedies.ts'
import { entraRemedies } from './entra_remedies.ts'
import type { Finding } from './finding.ts'
import type { Remedy, Setting } from './setting.ts'
import { sightingOf } from './sighting.ts'
import { vaultRemedies } from './vault_remedies.ts'

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
