import { setTimeout as delay } from 'node:timers/promises'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import type { WatchEvent } from '../harness/watch.ts'
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
  /** By UID; without those that were deleted before they had a certificate. */
  readonly requests = new Map<string, SeenRequest>()
  readonly #scene: Scene
  readonly #certificates = new Map<string, Json>()
  readonly #createdAt = new Map<string, number>()
  readonly #readyAt = new Map<string, number>()
  readonly #stops: ReadonlyArray<() => void>
  #withdrawn = 0

  constructor(scene: Scene, namespace: string, count: number) {
    this.#scene = scene
    this.namespace = namespace
    this.count = count
    this.#stops = [
      scene.cluster.watch(certificatesIn(namespace), ({ object }) => this.#seeCertificate(object)),
      scene.cluster.watch(requestsIn(namespace), (event) => this.#seeRequest(event)),
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
    const withdrawn = this.#withdrawn > 0 ? `; ${this.#withdrawn} withdrawn by cert-manager` : ''
    const times = quantilesText(this.times)
    const text = `${this.count} created to Ready: ${times}; all in ${secondsText(total)}`
    return `${text}${repeated}${withdrawn}`
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
    return (
      this.#readyAt.size === this.count &&
      ![...this.#certificates.values()].some(isIssuing) &&
      [...this.requests.values()].every(({ published }) => published.size > 0)
    )
  }

  #seeCertificate(object: Json): void {
    const name = textAt(object, 'metadata', 'name')
    this.#certificates.set(name, object)
    const isReady = at(conditionOf(object, 'Ready'), 'status') === 'True'
    if (isReady && !this.#readyAt.has(name)) this.#readyAt.set(name, performance.now())
  }

  /**
   * cert-manager deletes a request for a key that it has made anew, which it does when its cache of
   * Secrets is behind. Nobody waits for such a request.
   */
  #seeRequest({ type, object }: WatchEvent): void {
    const uid = textAt(object, 'metadata', 'uid')
    const name = textAt(object, 'metadata', 'name')
    const seen = this.requests.get(uid) ?? { uid, name, object, published: new Set() }
    this.requests.set(uid, seen)
    seen.object = object
    const issued = at(object, 'status', 'certificate')
    if (typeof issued === 'string') seen.published.add(issued)
    if (type !== 'DELETED' || seen.published.size > 0) return
    this.requests.delete(uid)
    this.#withdrawn += 1
  }

  #describeMissing(ms: number): string {
    const missing = [...this.#createdAt.keys()].filter((name) => !this.#readyAt.has(name))
    const issuing = [...this.#certificates].filter(([, object]) => isIssuing(object))
    const requests = [...this.requests.values()]
    const unanswered = requests.filter(({ published }) => published.size === 0)
    const first = missing[0] ?? issuing[0]?.[0] ?? ''
    const request =
      unanswered[0] ?? requests.findLast(({ object }) => certificateOf(object) === first)
    return [
      `after ${ms / 1000} s, of ${this.count} Certificates ${missing.length} are not Ready,`,
      `${issuing.length} issuing, and ${unanswered.length} requests unanswered; such as`,
      JSON.stringify(this.#certificates.get(first) ?? `${first}: never seen`, null, 2),
      'its request:',
      this.#scene.evidence(request?.object ?? 'never seen'),
    ].join('\n')
  }
}

function isIssuing(object: Json): boolean {
  return at(conditionOf(object, 'Issuing'), 'status') === 'True'
}

function certificateOf(request: Json): string {
  return textAt(request, 'metadata', 'annotations', 'cert-manager.io/certificate-name')
}

export async function startStorm(scene: Scene, options: StormOptions): Promise<Storm> {
  const storm = new Storm(scene, await scene.cluster.namespace('storm'), options.count)
  await storm.create('group' in options ? { group: options.group } : {})
  return storm
}
