import { type Dispatcher, request } from 'undici'
import type { VaultLocation } from './cloud.ts'
import { vaultUnreachable } from './failure.ts'
import { apiVersion } from './rest_call.ts'

/**
 * Asks a vault without a token. Whatever it answers, it is there; by its challenge it says which
 * tenant's tokens it takes.
 *
 * @returns the id of that tenant, if it was said
 * @throws IssuerError `VaultUnavailable`
 */
export async function reachVault(
  { url }: VaultLocation,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const answer = await request(`${url}/keys?api-version=${apiVersion}`, { dispatcher, signal })
    await answer.body.dump()
    const challenge = String(answer.headers['www-authenticate'] ?? '')
    return /authorization(?:_uri)?="https:\/\/[^"]+\/([0-9a-f-]{36})"/i.exec(challenge)?.[1]
  } catch (error) {
    throw vaultUnreachable({ what: 'reach the vault', vaultUrl: url }, error)
  }
}
