import type { ApiPath, Cluster } from '../harness/cluster.ts'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'
import { startCluster } from '../harness/start_cluster.ts'
import { until } from '../harness/until.ts'
import { type CaKey, createVaultCa, type VaultCa } from './ca.ts'
import type { Values } from './chart.ts'
import { federate, installProduct, startController } from './controller.ts'
import { type DevVault, startDevVault } from './dev_vault.ts'
import { allowNotices } from './event_grid.ts'
import { clusterIssuer } from './manifests.ts'

export interface SceneOptions {
  readonly audit?: boolean
  /** Of cert-manager's controllers, as `--controllers=*`. */
  readonly certManagerArgs?: readonly string[]
  /** YAML of CRDs beside ours and cert-manager's, one each. */
  readonly crds?: readonly string[]
  /** Of each call to the vault, in milliseconds. Default 0. */
  readonly latencyMs?: number
  /** Values of the chart, where the product is installed by that. */
  readonly chartValues?: Values
  /** Names of the vaults, the issuer's first. Default `contoso` alone. */
  readonly vaults?: readonly string[]
  readonly caKey?: CaKey
  readonly controllerFlags?: readonly string[]
  /** Whether replicas may hand notices of Event Grid on. */
  readonly notices?: boolean
  /** Laid over the spec of ClusterIssuer `akv-issuer`. */
  readonly spec?: Readonly<Record<string, unknown>>
}

export const clusterIssuers: ApiPath = '/apis/keyvault.akv-issuer.io/v1alpha1/clusterissuers'
export const issuersIn = (namespace: string): ApiPath =>
  `/apis/keyvault.akv-issuer.io/v1alpha1/namespaces/${namespace}/issuers`
export const certificatesIn = (namespace: string): ApiPath =>
  `/apis/cert-manager.io/v1/namespaces/${namespace}/certificates`
export const requestsIn = (namespace: string): ApiPath =>
  `/apis/cert-manager.io/v1/namespaces/${namespace}/certificaterequests`

/**
 * A cluster with cert-manager, a dev vault that trusts it, our CRDs and RBAC, the controller, and
 * ClusterIssuer `akv-issuer`, Ready, with a CA of its own.
 */
export class Scene {
  readonly cluster: Cluster
  readonly vault: DevVault
  readonly ca: VaultCa
  readonly controller: RunningProcess

  constructor(cluster: Cluster, vault: DevVault, ca: VaultCa, controller: RunningProcess) {
    this.cluster = cluster
    this.vault = vault
    this.ca = ca
    this.controller = controller
  }

  /**
   * The object at `path` once `is` says yes. The error after `ms` shows the object as it is then,
   * and the end of the controller's log.
   */
  async object(
    path: ApiPath,
    what: string,
    is: (object: Json) => boolean,
    ms?: number,
  ): Promise<Json> {
    let last: Json = 'never seen'
    try {
      return await until(
        what,
        async () => {
          last = (await this.cluster.api('GET', path)).body
          return is(last) && last
        },
        ms,
      )
    } catch (cause) {
      throw new Error(`${path}: ${what}: not so in time\n${this.evidence(last)}`, { cause })
    }
  }

  /** A Certificate, an issuer, … once its Ready condition is `status`, and `reason` if given. */
  ready(path: ApiPath, status: 'True' | 'False' = 'True', reason?: string): Promise<Json> {
    return this.object(path, `Ready=${status} ${reason ?? ''}`, (object) => {
      const ready = conditionOf(object, 'Ready')
      const isCurrent =
        at(ready, 'observedGeneration') === undefined ||
        at(ready, 'observedGeneration') === at(object, 'metadata', 'generation')
      const isReason = reason === undefined || at(ready, 'reason') === reason
      return at(ready, 'status') === status && isCurrent && isReason
    })
  }

  /** For the message of a failed test: the object it was about, and what the controller said. */
  evidence(object: Json): string {
    return `${JSON.stringify(object, null, 2)}\n${this.controller.logTail(40)}`
  }

  /** Signatures that the vault made so far, those of probes among them, with any key. */
  async signatures(): Promise<number> {
    return (await this.signCalls()).get('200') ?? 0
  }

  /** Calls of keys/sign so far by the status they were answered with; `dropped` for none. */
  async signCalls(): Promise<ReadonlyMap<string, number>> {
    return signCallsIn(await this.vault.admin('GET', '/counters'))
  }

  stop(): Promise<void> {
    return this.cluster.stop()
  }
}

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const { audit = false, certManagerArgs = [], crds = [], latencyMs = 0, caKey } = options
  const { chartValues = {} } = options
  const vaultFlags = [
    ...(options.vaults ?? []).map((name) => `--vault=${name}`),
    ...(latencyMs > 0 ? [`--latency=*=${latencyMs}`] : []),
  ]
  const cluster = await startCluster({ audit, crds, certManager: { args: certManagerArgs } })
  try {
    const [vault] = await Promise.all([
      startDevVault(cluster, vaultFlags),
      installProduct(cluster, chartValues),
    ])
    const [ca] = await Promise.all([
      createVaultCa(vault, 'ca', caKey && { keyType: caKey }),
      federate(cluster, vault),
      options.notices && allowNotices(cluster),
    ])
    const flags = options.controllerFlags ?? []
    const controller = await startController(cluster, vault, { flags })
    const scene = new Scene(cluster, vault, ca, controller)
    const issuer = clusterIssuer('akv-issuer', vault.url, ca, options.spec)
    const made = await cluster.must('POST', clusterIssuers, issuer)
    await scene.ready(`${clusterIssuers}/${textAt(made, 'metadata', 'name')}`)
    return scene
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** Calls of keys/sign in the vault's counters, by the status they were answered with. */
export function signCallsIn(counters: Json): ReadonlyMap<string, number> {
  const calls = new Map<string, number>()
  for (const byStatus of Object.values(asObject(at(counters, 'keys/sign')))) {
    for (const [status, count] of Object.entries(asObject(byStatus))) {
      calls.set(status, (calls.get(status) ?? 0) + Number(count))
    }
  }
  return calls
}

function asObject(value: Json | undefined): { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !isList(value) ? value : {}
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
