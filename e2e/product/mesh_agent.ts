import { setTimeout as delay } from 'node:timers/promises'
import type { Istiod } from '../harness/istio/istiod.ts'
import { certify, createIdentity, type Identity, type Workload } from '../harness/istio/workload.ts'
import { until } from '../harness/until.ts'
import { meshRoots } from './mesh.ts'

/**
 * What stands beside a workload in a mesh: gets its certificate from istiod, and another one in steady
 * intervals. Whom the workload trusts is what came with the last one.
 */
export class MeshAgent {
  /** What istiod did not answer, each a line; it was asked again. */
  readonly retries: string[] = []
  renewals = 0
  readonly #istiod: Istiod
  readonly #identity: Identity
  readonly #intervalMs: number
  readonly #ending = new AbortController()
  #workload: Workload
  #work: Promise<void> = Promise.resolve()

  private constructor(istiod: Istiod, identity: Identity, intervalMs: number, workload: Workload) {
    this.#istiod = istiod
    this.#identity = identity
    this.#intervalMs = intervalMs
    this.#workload = workload
  }

  /** For a ServiceAccount of namespace `apps`. */
  static async start(istiod: Istiod, name: string, intervalMs: number): Promise<MeshAgent> {
    const identity = await createIdentity(istiod, 'apps', name)
    const first = await ask(istiod, identity)
    const agent = new MeshAgent(istiod, identity, intervalMs, first)
    agent.#work = agent.#renew()
    return agent
  }

  /** As it is at this moment. */
  get workload(): Workload {
    return this.#workload
  }

  /** Resolves when it was answered so many times more. */
  async renewed(times: number): Promise<void> {
    const wanted = this.renewals + times
    await until(`${this.#identity.identity} renewed`, () => this.renewals >= wanted, 60_000)
  }

  /** `12 renewals, 1 asked for again`. */
  describe(): string {
    return `${this.renewals} renewals, ${this.retries.length} asked for again`
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#work
  }

  async #renew(): Promise<void> {
    const { signal } = this.#ending
    let pauseMs = this.#intervalMs
    for (;;) {
      await delay(pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      try {
        this.#workload = await ask(this.#istiod, this.#identity)
        this.renewals++
        pauseMs = this.#intervalMs
      } catch (error) {
        this.retries.push(error instanceof Error ? error.message : String(error))
        pauseMs = retryMs
      }
    }
  }
}

const retryMs = 200

/** By the ConfigMap, which is mounted beside each workload, it knows istiod. */
async function ask(istiod: Istiod, identity: Identity): Promise<Workload> {
  return await certify(istiod, identity, await meshRoots(istiod, 'apps'))
}
