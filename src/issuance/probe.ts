import { type Issuer, type IssuerSpec, issuerKey } from '../api/issuer.ts'
import { publishedRoots } from '../api/published_roots.ts'
import type { Random } from '../random.ts'
import type { CertificateDirectory } from '../vault/certificate_directory.ts'
import { parseVaultUrl, type VaultLocation } from '../vault/cloud.ts'
import type { Identity } from '../vault/identity.ts'
import type { Vault } from '../vault/vault.ts'
import { type IdentityDeps, resolveIdentity } from './issuer_identity.ts'
import type { Deliverer, ReadyState } from './issuer_state.ts'
import { probeDeliverer } from './probe_deliverer.ts'
import { probeSigner } from './probe_signer.ts'
import type { References } from './references.ts'

export interface ProbeDeps extends IdentityDeps {
  readonly allowedSuffixes: readonly string[]
  readonly references: (issuer: Issuer) => References
  /** A client for the vault; the same one as before while location, identity and limit are. */
  readonly vault: (location: VaultLocation, identity: Identity, inFlight: number) => Vault
  /** What Key Vault holds, for issuers that deliver. */
  readonly directory: CertificateDirectory
  readonly random: Random
}

/**
 * Proves that an issuer can answer requests: by a test signature, or by reading what it delivers.
 *
 * @param before what the same spec was found to be before
 * @throws IssuerError that says what to do
 */
export async function probeIssuer(
  issuer: Issuer,
  spec: IssuerSpec,
  deps: ProbeDeps,
  before: ReadyState | undefined,
  signal: AbortSignal,
): Promise<ReadyState> {
  const { mode } = spec
  const { vault, location, references } = await connect(issuer, spec, deps, signal)
  if (mode.type === 'sign') {
    const { random, now } = deps
    const place = { vault, location, references, random, now: now(), signal }
    const published = publishedRoots(issuer.status).map(({ sha256 }) => sha256)
    const nextBefore = before?.mode === 'sign' ? before.next : undefined
    return await probeSigner(mode, place, { published, next: nextBefore })
  }
  const deliverer: Deliverer = {
    issuer: issuerKey(issuer),
    vault,
    vaultHost: location.host,
    allowed: mode.certificates,
    namespace: issuer.kind === 'Issuer' ? issuer.namespace : undefined,
  }
  const offers = await probeDeliverer(deliverer, deps.directory, signal)
  return { kind: 'ready', mode: 'deliver', deliverer, offers }
}

async function connect(
  issuer: Issuer,
  spec: IssuerSpec,
  deps: ProbeDeps,
  signal: AbortSignal,
): Promise<{ vault: Vault; location: VaultLocation; references: References }> {
  const references = deps.references(issuer)
  const location = parseVaultUrl(spec.vaultUrl, deps.allowedSuffixes)
  const identity = await resolveIdentity(issuer, spec.identity, references, deps, signal)
  return { vault: deps.vault(location, identity, spec.inFlight), location, references }
}
