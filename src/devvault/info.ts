import { fileURLToPath } from 'node:url'
import { clouds, hostOf, vaultKinds } from './clouds.ts'
import type { FederatedCredential, Identity, ManagedKind } from './identities.ts'

/** Where everything is: the JSON line printed at start. */
export interface DevVaultInfo {
  /** `https://127.0.0.1:port`. Clients without the redirect must turn challenge verification off. */
  readonly vaultUrl: string
  /** Production name of the first vault, such as `contoso.vault.azure.net`. */
  readonly vaultHost: string
  readonly vaultHosts: readonly string[]
  /**
   * `https://127.0.0.1:port`; behind the redirect it is `https://login.microsoftonline.com`, and the
   * authority of each other cloud.
   */
  readonly authorityHost: string
  /** Value of AZURE_POD_IDENTITY_AUTHORITY_HOST for managed identities. */
  readonly imdsUrl: string
  readonly adminUrl: string
  readonly caFile: string
  readonly tenantId: string
  readonly identities: readonly IdentityInfo[]
  /** File for `node --import`. */
  readonly preload: string
  /** Value of AKV_DEVVAULT_CONNECT for it. */
  readonly connect: string
  /** Environment of a client process under the production names. */
  readonly env: {
    readonly NODE_EXTRA_CA_CERTS: string
    readonly NODE_OPTIONS: string
    readonly AKV_DEVVAULT_CONNECT: string
  }
}

export interface IdentityInfo {
  readonly name: string
  readonly clientId: string
  readonly objectId: string
  readonly clientSecret: string | null
  readonly managed: ManagedKind | null
  readonly federation: readonly FederatedCredential[]
}

export interface Whereabouts {
  readonly port: number
  readonly imdsUrl: string
  readonly adminUrl: string
  readonly caFile: string
  readonly vaults: readonly string[]
  readonly tenantId: string
}

export function infoOf(where: Whereabouts, identities: readonly Identity[]): DevVaultInfo {
  const { port, imdsUrl, adminUrl, caFile, tenantId } = where
  const vaultHosts = where.vaults.map(hostOf)
  const authorities = clouds.flatMap(({ authorityHost, aliases }) => [authorityHost, ...aliases])
  const reachable = [...vaultHosts, ...authorities].map((host) => `${host}:443=127.0.0.1:${port}`)
  const connect = [
    ...reachable,
    // The metadata service of Azure's machines.
    `169.254.169.254:80=${new URL(imdsUrl).host}`,
    ...vaultKinds.map(({ suffix }) => `*${suffix}:443=!`),
  ].join(',')
  const preload = new URL('redirect.mjs', import.meta.url)
  return {
    vaultUrl: `https://127.0.0.1:${port}`,
    vaultHost: vaultHosts[0] ?? '',
    vaultHosts,
    authorityHost: `https://127.0.0.1:${port}`,
    imdsUrl,
    adminUrl,
    caFile,
    tenantId,
    identities: identities.map(
      ({ name, clientId, objectId, secrets, managed = null, federation }) => ({
        name,
        clientId,
        objectId,
        clientSecret: secrets[0] ?? null,
        managed,
        federation,
      }),
    ),
    preload: fileURLToPath(preload),
    connect,
    env: {
      NODE_EXTRA_CA_CERTS: caFile,
      NODE_OPTIONS: `--import=${preload.href}`,
      AKV_DEVVAULT_CONNECT: connect,
    },
  }
}
