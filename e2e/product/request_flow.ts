import type { ApiPath } from '../harness/cluster.ts'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import { until } from '../harness/until.ts'
import type { Scene } from './scene.ts'
import type { SeenRequest } from './storm.ts'
import { quantilesText } from './times.ts'

/** Requests that the test makes in one collection, and all that a watch shows of their answers. */
export class RequestFlow {
  /** By UID. */
  readonly requests = new Map<string, SeenRequest>()
  readonly #scene: Scene
  readonly #path: ApiPath
  readonly #madeAt = new Map<string, number>()
  readonly #approvedAt = new Map<string, number>()
  readonly #answeredAt = new Map<string, number>()
  readonly #stop: () => void

  constructor(scene: Scene, path: ApiPath) {
    this.#scene = scene
    this.#path = path
    this.#stop = scene.cluster.watch(path, ({ object }) => this.#see(object))
  }

  async make(request: { readonly metadata: { readonly name: string } }): Promise<Json> {
    this.#madeAt.set(request.metadata.name, performance.now())
    return await this.#scene.cluster.must('POST', this.#path, request)
  }

  /** Waits until all that were made have a certificate; shows one that has none after `ms`. */
  async untilAnswered(ms: number): Promise<void> {
    try {
      await until('all answered', () => this.#answeredAt.size === this.#madeAt.size, ms)
    } catch (cause) {
      const open = [...this.requests.values()].find(({ published }) => published.size === 0)
      const shown = this.#scene.evidence(open?.object ?? 'never seen')
      const count = `${this.#answeredAt.size} of ${this.#madeAt.size} answered, and not`
      throw new Error(`${count} ${shown}`, { cause })
    }
  }

  /** `500 answered: p50 0.12 s, p99 0.30 s; from approval on: p50 0.02 s, p99 0.10 s`. */
  describeTimes(): string {
    const [all, ours] = [this.#madeAt, this.#approvedAt].map((since) => {
      const answers = [...this.#answeredAt]
      return quantilesText(
        answers.map(([name, answeredAt]) => answeredAt - (since.get(name) ?? Number.NaN)),
      )
    })
    return `${this.#answeredAt.size} answered: ${all}; from approval on: ${ours}`
  }

  /** Requests that were answered Failed, or got more than one certificate. */
  get wrong(): readonly SeenRequest[] {
    return [...this.requests.values()].filter(
      ({ object, published }) => published.size > 1 || isFailed(object),
    )
  }

  stop(): void {
    this.#stop()
  }

  #see(object: Json): void {
    const name = textAt(object, 'metadata', 'name')
    if (!this.#madeAt.has(name)) return
    const uid = textAt(object, 'metadata', 'uid')
    const seen = this.requests.get(uid) ?? { uid, name, object, published: new Set() }
    this.requests.set(uid, seen)
    seen.object = object
    if (conditionOf(object, 'Approved') !== undefined) noteTime(this.#approvedAt, name)
    const issued = at(object, 'status', 'certificate')
    if (typeof issued !== 'string') return
    seen.published.add(issued)
    noteTime(this.#answeredAt, name)
  }
}

function noteTime(times: Map<string, number>, name: string): void {
  if (!times.has(name)) times.set(name, performance.now())
}

function isFailed(object: Json): boolean {
  return (
    conditionOf(object, 'Failed') !== undefined ||
    at(conditionOf(object, 'Ready'), 'reason') === 'Failed'
  )
}
