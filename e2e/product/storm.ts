import { setTimeout as delay } from 'node:timers/promises'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import { certificate } from './manifests.ts'
import { certificatesIn, requestsIn, type Scene } from './scene.ts'
import { quantilesText, secondsText } from './times.ts'

export interface StormOptions {
  readonly count: number
  /** Of the references; `undefined` for references without one. Default ours. */
  readonly group?: string | undefined
}

/** What a watch showed of one CertificateRequest. */
export interface SeenRequest {
  readonly uid: string
  readonly name: string
  /** As last seen. */
  object: Json
  /** Each `status.certificate` that was seen, base64. */
  readonly published: Set<string>
}

/** Certificates made at once in a namespace of their own, and all that a watch shows of them. */
export class Storm {
  readonly namespace: string
  readonly count: number
  /** By UID. */
  readonly requests = new Map<string, SeenRequest>()
  readonly #scene: Scene
  readonly #certificates = new Map<string, Json>()
  readonly #createdAt = new Map<string, number>()
  readonly #readyAt = new Map<string, number>()
  readonly #stops: ReadonlyArray<() => void>

  constructor(scene: Scene, namespace: string, count: number) {
    this.#scene = scene
    this.namespace = namespace
    this.count = count
    this.#stops = [
      scene.cluster.watch(certificatesIn(namespace), ({ object }) => this.#seeCertificate(object)),
      scene.cluster.watch(requestsIn(namespace), ({ object }) => this.#seeRequest(object)),
    ]
  }

  async create(options: { readonly group?: string | undefined }): Promise<void> {
    const names = Array.from({ length: this.count }, (_, index) => `storm-${index}`)
    await Promise.all(
      names.map(async (name) => {
        this.#createdAt.set(name, performance.now())
        await this.#scene.cluster.must(
          'POST',
          certificatesIn(this.namespace),
          certificate(name, options),
        )
      }),
    )
  }

  /** Whether each Certificate has a request that was approved. */
  get isApproved(): boolean {
    const approved = [...this.requests.values()].filter(
      ({ object }) => at(conditionOf(object, 'Approved'), 'status') === 'True',
    )
    return new Set(approved.map(({ object }) => certificateOf(object))).size === this.count
  }

  /**
   * Requests beyond one a Certificate: cert-manager at times starts an issuance anew, when its cache
   * of Secrets is behind.
   */
  get repeated(): number {
    return this.requests.size - this.count
  }

  get issued(): number {
    return [...this.requests.values()].filter(({ published }) => published.size > 0).length
  }

  /**
   * Waits until all Certificates are Ready and nothing is under way. The error shows a Certificate
   * that is not, its request, and the end of the controller's log.
   */
  async untilReady(ms: number): Promise<void> {
    const end = performance.now() + ms
    while (!this.#isOver()) {
      if (performance.now() > end) throw new Error(this.#describeMissing(ms))
      await delay(25)
    }
  }

  /** Milliseconds from creation to Ready of each Certificate. */
  get times(): readonly number[] {
    return [...this.#readyAt].map(
      ([name, readyAt]) => readyAt - (this.#createdAt.get(name) ?? Number.NaN),
    )
  }

  /** `created to Ready: p50 1.20 s, p99 2.00 s; all in 2.10 s`. */
  describeTimes(): string {
    const total = Math.max(...this.#readyAt.values()) - Math.min(...this.#createdAt.values())
    const repeated = this.repeated > 0 ? `; ${this.repeated} asked for twice by cert-manager` : ''
    const times = quantilesText(this.times)
    return `${this.count} created to Ready: ${times}; all in ${secondsText(total)}${repeated}`
  }

  /** Requests that were answered Failed, or got more than one certificate. */
  get wrong(): readonly SeenRequest[] {
    return [...this.requests.values()].filter(
      ({ object, published }) =>
        published.size > 1 || at(conditionOf(object, 'Ready'), 'reason') === 'Failed',
    )
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  #isOver(): boolean {
    const certificates = [...this.#certificates.values()]
    return (
      this.#readyAt.size === this.count &&
      !certificates.some((object) => at(conditionOf(object, 'Issuing'), 'status') === 'True') &&
      [...this.requests.values()].every(({ published }) => published.size > 0)
    )
  }

  #seeCertificate(object: Json): void {
    const name = textAt(object, 'metadata', 'name')
    this.#certificates.set(name, object)
    const isReady = at(conditionOf(object, 'Ready'), 'status') === 'True'
    if (isReady && !this.#readyAt.has(name)) this.#readyAt.set(name, performance.now())
  }

  #seeRequest(object: Json): void {
    const uid = textAt(object, 'metadata', 'uid')
    const name = textAt(object, 'metadata', 'name')
    const seen = this.requests.get(uid) ?? { uid, name, object, published: new Set() }
    this.requests.set(uid, seen)
    seen.object = object
    const issued = at(object, 'status', 'certificate')
    if (typeof issued === 'string') seen.published.add(issued)
  }

  #describeMissing(ms: number): string {
    const missing = [...this.#createdAt.keys()].filter((name) => !this.#readyAt.has(name))
    const [first = ''] = missing
    const request =
      [...this.requests.values()].find(({ object }) => certificateOf(object) === first) ??
      [...this.requests.values()].find(({ published }) => published.size === 0)
    return [
      `${missing.length} of ${this.count} Certificates not Ready within ${ms / 1000} s, such as`,
      JSON.stringify(this.#certificates.get(first) ?? `${first}: never seen`, null, 2),
      'its request:',
      this.#scene.evidence(request?.object ?? 'never seen'),
    ].join('\n')
  }
}

function certificateOf(request: Json): string {
  return textAt(request, 'metadata', 'annotations', 'cert-manager.io/certificate-name')
}

export async function startStorm(scene: Scene, options: StormOptions): Promise<Storm> {
  const storm = new Storm(scene, await scene.cluster.namespace('storm'), options.count)
  await storm.create('group' in options ? { group: options.group } : {})
  return storm
}
