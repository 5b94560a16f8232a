import { at, listAt } from '../harness/json.ts'
import type { DevVault } from './dev_vault.ts'

/** Tokens that a client was given so far by Entra, or by the metadata service of machines. */
export async function tokensOf(
  vault: DevVault,
  clientId: string,
  by: 'entra/token' | 'imds/token' = 'entra/token',
): Promise<number> {
  return Number(at(await vault.admin('GET', '/counters'), by, clientId, '200') ?? 0)
}

/** What a client asked of Entra and of the vaults, as `keys/sign contoso 403`, each once, sorted. */
export async function askedBy(vault: DevVault, clientId: string): Promise<readonly string[]> {
  const requests = listAt(await vault.admin('GET', '/requests'), 'requests')
  const ofClient = requests.filter((request) => at(request, 'clientId') === clientId)
  const words = ofClient.map((request) =>
    ['operation', 'vault', 'status'].map((key) => String(at(request, key))).join(' '),
  )
  return [...new Set(words)].sort()
}
