import type { IssuerSpec } from '../api/issuer.ts'
import { ownIdentity } from '../check/own_identity.ts'
import type { Setting } from '../check/setting.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import { References } from '../issuance/references.ts'
import type { KubeClient } from '../kube/client.ts'
import { ServiceAccountTokens } from '../kube/service_account_tokens.ts'
import type { VaultLocation } from '../vault/cloud.ts'
import { accountCredential, credentialOf } from '../vault/identity.ts'
import { holderOf } from '../vault/identity_failure.ts'
import type { CheckFlags } from './check_flags.ts'
import type { CommandContext } from './command_context.ts'
import { openVault, openVaultAs, type VaultAccess } from './vault_access.ts'

/** What the vault of an issuer is opened with. */
export interface AccessDeps {
  readonly flags: Pick<CheckFlags, 'identity'>
  readonly context: Pick<CommandContext, 'clock' | 'signal'>
  readonly client: KubeClient | undefined
  readonly setting: Setting
}

/**
 * The vault as whom the flags say.
 *
 * @throws IssuerError `IdentityRefused`, or of the API server
 */
export async function openVaultFor(
  spec: IssuerSpec,
  location: VaultLocation,
  { flags, context, client, setting }: AccessDeps,
): Promise<VaultAccess> {
  const { identity: choice } = flags
  if (choice !== 'issuer') return openVault({ location, identity: choice })
  if (client === undefined) {
    throw new IssuerError('KubeUnavailable', '--identity issuer takes a cluster to have it from')
  }
  const { clock, signal } = context
  const { controllerNamespace, referenceNamespace } = setting
  const { kind } = setting.issuer
  const place = { kube: client, kind, controllerNamespace, referenceNamespace, signal }
  const identity = await asKubeconfig(() =>
    ownIdentity(spec.identity, { ...place, now: clock.now() }),
  )
  const accountTokens = new ServiceAccountTokens(client, clock)
  const credential =
    identity.type === 'serviceAccount'
      ? accountCredential(identity, location.cloud, (...of) =>
          asKubeconfig(() => accountTokens.token(...of)),
        )
      : credentialOf(identity, location.cloud)
  return openVaultAs(location, holderOf(identity), credential)
}

/** What the issuer refers to, read as the kubeconfig lets us. */
export function referencesOf(
  client: KubeClient | undefined,
  namespace: string,
): Pick<References, 'configMapText'> {
  return {
    async configMapText(ref, signal) {
      if (client === undefined) {
        const message = `ConfigMap "${ref.name}" in namespace "${namespace}" cannot be read without a cluster`
        throw new IssuerError('KubeUnavailable', message)
      }
      const references = new References(client, namespace)
      return await asKubeconfig(() => references.configMapText(ref, signal))
    },
  }
}

/** What may not be read is told in the words of the API server: ours are about the controller. */
async function asKubeconfig<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (thrown) {
    const error = issuerErrorFrom(thrown)
    throw error.code === 'KubeForbidden' && error.cause !== undefined
      ? issuerErrorFrom(error.cause)
      : error
  }
}
