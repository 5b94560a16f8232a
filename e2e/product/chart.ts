import { join } from 'node:path'
import type { ApiPath, Cluster } from '../harness/cluster.ts'
import { at, type Json, listAt, parseJson, textAt } from '../harness/json.ts'
import { type ProgramResult, runProgram } from '../harness/program.ts'
import { ensureHelm } from '../harness/tools.ts'

export const chartFolder = join(import.meta.dirname, '..', '..', 'charts', 'akv-issuer')

/** The namespace and the release are both named so. */
export const releaseName = 'akv-issuer'

export type Values = Readonly<Record<string, unknown>>

/** Its image is never pulled: no kubelet runs. */
const image = { repository: 'registry.example.com/akv-issuer' }

/** helm 4 as a user of the cluster. */
export async function helm(
  cluster: Cluster,
  args: readonly string[],
  input = '',
): Promise<ProgramResult> {
  const tools = await ensureHelm()
  const setting = {
    program: tools.path('helm'),
    kubeconfig: cluster.kubeconfig,
    home: cluster.dir,
  }
  return await runProgram(setting, args, input)
}

/** Installs the release, or upgrades it with `values` laid over those it has. */
export async function installChart(
  cluster: Cluster,
  values: Values = {},
  options: { readonly chart?: string; readonly flags?: readonly string[] } = {},
): Promise<void> {
  const args = [
    'upgrade',
    releaseName,
    options.chart ?? chartFolder,
    '--install',
    '--create-namespace',
    `--namespace=${releaseName}`,
    '--reset-then-reuse-values',
    '--values=-',
    ...(options.flags ?? []),
  ]
  const { code, stderr } = await helm(cluster, args, JSON.stringify({ image, ...values }))
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`)
}

/** Lets the controller deliver into one more namespace. */
export async function deliverInto(cluster: Cluster, namespace: string): Promise<void> {
  const namespaces = listAt(await givenValues(cluster), 'deliver', 'namespaces')
  const deliver = { enabled: true, namespaces: [...namespaces, namespace] }
  await installChart(cluster, { deliver })
}

/** Lets the controller act as one more ServiceAccount. */
export async function actAs(cluster: Cluster, namespace: string, account: string): Promise<void> {
  const others = listAt(await givenValues(cluster), 'tokenRequest')
  const tokenRequest = [...others, { namespace, serviceAccounts: [account] }]
  await installChart(cluster, { tokenRequest })
}

/** What the release's Deployment runs. */
export interface Rendered {
  readonly args: readonly string[]
  readonly serviceAccount: string
  readonly deployment: Json
}

export async function renderedController(cluster: Cluster): Promise<Rendered> {
  const path: ApiPath = `/apis/apps/v1/namespaces/${releaseName}/deployments/${releaseName}`
  const deployment = await cluster.must('GET', path)
  const pod = at(deployment, 'spec', 'template', 'spec')
  return {
    args: listAt(pod, 'containers', 0, 'args').map((arg) => textAt(arg)),
    serviceAccount: textAt(pod, 'serviceAccountName'),
    deployment,
  }
}

/** The values that the release was given, without defaults. */
async function givenValues(cluster: Cluster): Promise<Json> {
  const release = [releaseName, `--namespace=${releaseName}`]
  const { stdout } = await helm(cluster, ['get', 'values', ...release, '--output=json'])
  return parseJson(stdout)
}
