import { at } from '../harness/json.ts'
import type { DevVault } from './dev_vault.ts'

/** Tokens that the dev vault's Entra has given to a client so far. */
export async function tokensOf(vault: DevVault, clientId: string): Promise<number> {
  return Number(at(await vault.admin('GET', '/counters'), 'entra/token', clientId, '200') ?? 0)
}
