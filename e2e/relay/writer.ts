import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../harness/cluster.ts'

const names = 12

/**
 * Makes, changes, deletes and makes again a few ConfigMaps, straight at the API server. What fails
 * while that is away is left out.
 */
export class Writer {
  readonly #cluster: Cluster
  readonly #namespace: string
  readonly #everyMs: number
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #accepted = 0

  constructor(cluster: Cluster, namespace: string, everyMs = 25) {
    this.#cluster = cluster
    this.#namespace = namespace
    this.#everyMs = everyMs
    this.#running = this.#run()
  }

  /** Writes that the API server accepted. */
  get accepted(): number {
    return this.#accepted
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      await this.#write(turn).catch(() => undefined)
      await delay(this.#everyMs)
    }
  }

  async #write(turn: number): Promise<void> {
    const name = `w${turn % names}`
    const collection = `/api/v1/namespaces/${this.#namespace}/configmaps` as const
    const step = Math.floor(turn / names) % 4
    const body = { metadata: { name }, data: { turn: String(turn) } }
    const { code } = await (step === 0
      ? this.#cluster.api('POST', collection, body)
      : step === 3
        ? this.#cluster.api('DELETE', `${collection}/${name}`)
        : this.#cluster.api('PATCH', `${collection}/${name}`, body))
    if (code < 300) this.#accepted++
  }
}
