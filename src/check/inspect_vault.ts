import type { IssuerMode, IssuerSpec } from '../api/issuer.ts'
import type { References } from '../issuance/references.ts'
import type { Random } from '../random.ts'
import type { VaultLocation } from '../vault/cloud.ts'
import type { KeyKeeper } from '../vault/key_keeper.ts'
import type { TokenSource } from '../vault/token_source.ts'
import type { Vault } from '../vault/vault.ts'
import { type Caller, probeReach, probeToken } from './caller_probes.ts'
import { probeEntries } from './deliverer_probes.ts'
import { type Finding, skipped } from './finding.ts'
import { probeCas } from './signer_probes.ts'

/** The vault of an issuer, as the caller of the command has it. */
export interface VaultPlace {
  readonly location: VaultLocation
  readonly vault: Vault
  readonly keeper: Pick<KeyKeeper, 'key'>
  readonly tokens: Pick<TokenSource, 'token' | 'who'>
  readonly reach: (signal: AbortSignal) => Promise<string | undefined>
  readonly references: Pick<References, 'configMapText'>
  readonly withKeys: boolean
  readonly random: Random
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly signal: AbortSignal
}

export interface VaultView {
  readonly findings: readonly Finding[]
  /** The tenant whose tokens the vault takes. */
  readonly tenantId: string | undefined
  readonly caller: Caller | undefined
}

/**
 * Goes through all that the issuer needs of its vault, as the caller.
 *
 * @param published fingerprints of the roots that the issuer shows, in order
 */
export async function inspectVault(
  { mode }: IssuerSpec,
  place: VaultPlace,
  published: readonly string[],
): Promise<VaultView> {
  const { location, reach, tokens, signal } = place
  const { finding: reached, tenantId } = await probeReach(location.host, reach, signal)
  const { finding: token, caller } = await probeToken(tokens, tenantId, signal)
  const isHad = reached.result === 'ok' && token.result === 'ok'
  const rest = isHad
    ? await probeMode(mode, place, published)
    : [skipped(mode.type, `needs ${reached.result === 'ok' ? 'a token' : 'the vault'}`)]
  return { findings: [reached, token, ...rest], tenantId, caller }
}

function probeMode(
  mode: IssuerMode,
  place: VaultPlace,
  published: readonly string[],
): Promise<readonly Finding[]> {
  return mode.type === 'sign'
    ? probeCas(mode, place, published)
    : probeEntries(mode.certificates, place)
}
