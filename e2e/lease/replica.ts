import { join } from 'node:path'
import type { Cluster } from '../harness/cluster.ts'
import { at, parseJson, textAt } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'
import { until } from '../harness/until.ts'
import { controllerNamespace, startController } from '../product/controller.ts'
import { DevVault } from '../product/dev_vault.ts'
import type { Scene } from '../product/scene.ts'

/** Starts one more controller, whose wall clock is ahead by `skewMs`. */
export function startReplica(
  { cluster, vault }: Scene,
  name: string,
  skewMs: number,
): Promise<RunningProcess> {
  return startController(cluster, new SkewedVault(vault, skewMs), { name })
}

export const leasePath =
  `/apis/coordination.k8s.io/v1/namespaces/${controllerNamespace}/leases/akv-issuer` as const

/** Waits until another of the replicas holds the lease than `before`. */
export async function leaderAfter(
  cluster: Cluster,
  replicas: readonly RunningProcess[],
  before: RunningProcess | undefined,
): Promise<RunningProcess> {
  return await until('a leader', async () => {
    const holder = at(await cluster.must('GET', leasePath), 'spec', 'holderIdentity')
    const found = replicas.find((each) => identityOf(each) === holder)
    return found === before ? undefined : found
  })
}

/** What it calls itself in the lease; undefined before it has taken it. */
function identityOf(replica: RunningProcess): string | undefined {
  const line = replica.output().match(/^\{.*"lease taken".*\}$/m)?.[0]
  return line === undefined ? undefined : textAt(parseJson(line), 'identity')
}

/** The same vault, as a process with another clock reaches it. */
class SkewedVault extends DevVault {
  readonly #skewMs: number

  constructor(vault: DevVault, skewMs: number) {
    super(vault.process, vault.info)
    this.#skewMs = skewMs
  }

  override get clientEnv(): Record<string, string> {
    const clientEnv = super.clientEnv
    const preload = `--import=${join(import.meta.dirname, 'skewed_clock.ts')}`
    return {
      ...clientEnv,
      NODE_OPTIONS: `${clientEnv.NODE_OPTIONS ?? ''} ${preload}`,
      CLOCK_SKEW_MS: String(this.#skewMs),
    }
  }
}
