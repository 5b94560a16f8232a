import type { TokenCredential } from '@azure/identity'
import { systemClock } from '../clock.ts'
import type { VaultLocation } from '../vault/cloud.ts'
import { vaultConnections } from '../vault/connections.ts'
import { KeyKeeper } from '../vault/key_keeper.ts'
import { KeyVault } from '../vault/key_vault.ts'
import { operatorCredential, operatorHolder, operatorIdentity } from '../vault/operator_identity.ts'
import { reachVault } from '../vault/reach.ts'
import { type TokenHolder, TokenSource } from '../vault/token_source.ts'
import type { VaultFlags } from './vault_flags.ts'

/** A vault for the length of a command. */
export interface VaultAccess {
  readonly vault: KeyVault
  readonly keeper: KeyKeeper
  readonly tokens: TokenSource
  /** See `reachVault`. */
  reach(signal: AbortSignal): Promise<string | undefined>
  close(): Promise<void>
}

/** @throws IssuerError `IdentityRefused` */
export function openVault({ location, identity: choice }: VaultFlags): VaultAccess {
  const identity = operatorIdentity(choice, process.env)
  const credential = operatorCredential(identity, location.cloud)
  return openVaultAs(location, operatorHolder(identity), credential)
}

export function openVaultAs(
  location: VaultLocation,
  holder: TokenHolder,
  credential: TokenCredential,
): VaultAccess {
  const tokens = new TokenSource(holder, credential, location.cloud, systemClock)
  const dispatcher = vaultConnections(() => {})
  const deps = { location, tokens, dispatcher, clock: systemClock, assertLeader: () => {} }
  const vault = new KeyVault({ ...deps, inFlight: 4, onCall: () => {} })
  return {
    vault,
    keeper: new KeyKeeper(deps),
    tokens,
    reach: (signal) => reachVault(location, dispatcher, signal),
    close: () => dispatcher.close(),
  }
}
