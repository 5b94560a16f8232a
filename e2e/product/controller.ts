import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster } from '../harness/cluster.ts'
import type { RunningProcess } from '../harness/process.ts'
import { until } from '../harness/until.ts'
import { installChart, renderedController, type Values } from './chart.ts'
import type { DevVault } from './dev_vault.ts'
import { bind } from './users.ts'

const root = join(import.meta.dirname, '..', '..')
export const controllerNamespace = 'akv-issuer'
export const tokenAudience = 'api://AzureADTokenExchange'

/** Whether the product is installed by its chart, in place of `config/`. */
export const isByChart = () => process.env.INSTALL === 'chart'

/**
 * Applies what a user applies: CRDs and RBAC, the approver's grant included.
 *
 * @param values of the chart, where it is installed by that
 */
export async function installProduct(cluster: Cluster, values: Values = {}): Promise<void> {
  await (isByChart() ? installChart(cluster, values) : applyConfig(cluster))
  await until('our kinds served', async () => {
    const answer = await cluster.api('GET', '/apis/keyvault.akv-issuer.io/v1alpha1/clusterissuers')
    return answer.code === 200
  })
}

async function applyConfig(cluster: Cluster): Promise<void> {
  const { code } = await cluster.api('GET', `/api/v1/namespaces/${controllerNamespace}`)
  if (code === 404) await must(cluster, ['create', 'namespace', controllerNamespace])
  await must(cluster, ['apply', '-f', join(root, 'config/crd'), '-f', join(root, 'config/rbac')])
}

export interface ControllerOptions {
  /** Of its log file; several replicas differ. */
  readonly name?: string
  readonly flags?: readonly string[]
  /** Of its federated token. */
  readonly audience?: string
  /** Laid over what the webhook sets on its pod. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Runs the controller with the rights of its ServiceAccount and no more. It reaches the dev vault by
 * the vault's production names, and Entra knows it by its ServiceAccount token.
 */
export async function startController(
  cluster: Cluster,
  vault: DevVault,
  options: ControllerOptions = {},
): Promise<RunningProcess> {
  const name = options.name ?? 'akv-issuer'
  const account = await cluster.serviceAccount(controllerNamespace, 'akv-issuer')
  const tokenFile = tokenFileOf(cluster, name)
  await writeFile(tokenFile, await account.token(options.audience ?? tokenAudience), {
    mode: 0o600,
  })
  return await cluster.run({
    name,
    command: process.execPath,
    args: [
      process.env.CONTROLLER ?? join(root, 'src/main.ts'),
      ...(isByChart() ? (await renderedController(cluster)).args : ['run']),
      `--kubeconfig=${account.kubeconfig}`,
      `--namespace=${controllerNamespace}`,
      '--listen=127.0.0.1:0',
      ...(options.flags ?? []),
    ],
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      ...vault.clientEnv,
      AZURE_TENANT_ID: vault.tenantId,
      AZURE_CLIENT_ID: vault.identity('akv-issuer').clientId,
      AZURE_FEDERATED_TOKEN_FILE: tokenFile,
      // The webhook sets it; an issuer's vault decides all the same.
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com/',
      ...options.env,
    },
    readyWhen: (output) => output.includes('"started"'),
  })
}

/** Gives the controller the rights of a ClusterRole in one namespace, by a RoleBinding of its name. */
export async function bindInNamespace(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<void> {
  const controller = {
    kind: 'ServiceAccount',
    name: 'akv-issuer',
    namespace: controllerNamespace,
  } as const
  await bind(cluster, namespace, { kind: 'ClusterRole', name }, controller)
}

/** Where the controller of a name finds the token by which Entra knows it. */
export function tokenFileOf(cluster: Cluster, name = 'akv-issuer'): string {
  return join(cluster.dir, `${name}.federated-token`)
}

/** Lets the tokens of a ServiceAccount, the controller's, stand for an identity in Entra, its own. */
export async function federate(
  cluster: Cluster,
  vault: DevVault,
  clientId = vault.identity('akv-issuer').clientId,
  account = `${controllerNamespace}:akv-issuer`,
): Promise<void> {
  await vault.admin('POST', '/federation', {
    clientId,
    issuer: cluster.tokenIssuer,
    subject: `system:serviceaccount:${account}`,
    audience: tokenAudience,
    jwks: await cluster.jwks(),
  })
}

async function must(cluster: Cluster, args: readonly string[]): Promise<void> {
  const { code, stderr } = await cluster.kubectl(args)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
}
