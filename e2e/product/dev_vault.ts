import { join } from 'node:path'
import type { Cluster } from '../harness/cluster.ts'
import { at, type Json, listAt, parseJson, textAt } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'

const entryPoint = join(import.meta.dirname, '..', '..', 'src/devvault/main.ts')

/** A dev vault in a process of its own, steered by its admin API. */
export class DevVault {
  readonly process: RunningProcess
  /** The JSON line that it printed at start. */
  readonly info: Json
  readonly adminUrl: string
  readonly name: string

  constructor(process: RunningProcess, info: Json, name = 'contoso') {
    this.process = process
    this.info = info
    this.adminUrl = textAt(info, 'adminUrl')
    this.name = name
  }

  /** As `contoso.vault.azure.net`; a name with dots is the host of a vault elsewhere. */
  get host(): string {
    return this.name.includes('.') ? this.name : `${this.name}.vault.azure.net`
  }

  /** `https://contoso.vault.azure.net`: how issuers name it. */
  get url(): string {
    return `https://${this.host}`
  }

  /** Another vault of the same process, with the same Entra before it. */
  other(name: string): DevVault {
    return new DevVault(this.process, this.info, name)
  }

  get tenantId(): string {
    return textAt(this.info, 'tenantId')
  }

  /** What a process needs in its environment to reach the vault by its production names. */
  get clientEnv(): Record<string, string> {
    const names = ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'AKV_DEVVAULT_CONNECT']
    return Object.fromEntries(names.map((name) => [name, textAt(this.info, 'env', name)]))
  }

  identity(name: string): { readonly clientId: string; readonly clientSecret: string } {
    const found = listAt(this.info, 'identities').find((each) => at(each, 'name') === name)
    return {
      clientId: textAt(found, 'clientId'),
      clientSecret: textAt(found, 'clientSecret'),
    }
  }

  /** The body of a 200 answer of the admin API; throws on any other. */
  async admin(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await fetch(this.adminUrl + path, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (answer.ok) return parseJson(text)
    throw new Error(`${method} ${path} of the dev vault: ${answer.status} ${text}`)
  }

  /** Any operation of the vault's data plane, with all rights. */
  manage(method: string, path: string, body?: unknown): Promise<Json> {
    return this.admin(method, `/vaults/${this.name}/${path}`, body)
  }
}

/** Starts one beside the cluster, as a guest that ends before it. */
export async function startDevVault(
  cluster: Cluster,
  flags: readonly string[] = [],
): Promise<DevVault> {
  const process = await cluster.run({
    name: 'dev-vault',
    command: globalThis.process.execPath,
    args: [entryPoint, `--state-dir=${join(cluster.dir, 'dev-vault')}`, ...flags],
    readyWhen: (output) => infoLine(output) !== undefined,
  })
  return new DevVault(process, parseJson(infoLine(process.output()) ?? ''))
}

function infoLine(output: string): string | undefined {
  return output.split('\n').find((line) => line.startsWith('{') && line.endsWith('}'))
}
