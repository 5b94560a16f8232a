import { createPrivateKey, X509Certificate } from 'node:crypto'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import { textOf } from './delivery_scene.ts'
import { certificatesIn, type Scene } from './scene.ts'

const longestLagMs = 1_000

/** What was seen of the Secrets and Certificates of a namespace, change by change and in between. */
export class Observer {
  /** Versions of each Secret that were seen, by name. */
  readonly writes = new Map<string, Set<string>>()
  /** Pairs that did not fit together, and Certificates that were Ready and then were not. */
  readonly faults: string[] = []
  /** Moments in which cert-manager took a Secret for a wrong one, since its copy was an old one. */
  lags = 0
  observations = 0
  readonly #wasReady = new Set<string>()
  /** By the name of a Certificate: since when, and the fault that it is if it lasts. */
  readonly #lagging = new Map<string, { readonly since: number; readonly fault: string }>()
  readonly #stops: readonly (() => void)[]

  constructor(scene: Scene, namespace: string) {
    const { cluster } = scene
    this.#stops = [
      cluster.watch(`/api/v1/namespaces/${namespace}/secrets`, ({ type, object }) => {
        if (type !== 'DELETED') this.secret(object)
      }),
      cluster.watch(certificatesIn(namespace), ({ type, object }) => {
        if (type !== 'DELETED') this.certificate(object)
      }),
    ]
  }

  writesOf(secret: string): number {
    return this.writes.get(secret)?.size ?? 0
  }

  secret(secret: Json): void {
    const name = textAt(secret, 'metadata', 'name')
    if (!name.endsWith('-tls')) return
    this.observations++
    const version = textAt(secret, 'metadata', 'resourceVersion')
    this.writes.set(name, (this.writes.get(name) ?? new Set()).add(version))
    const leaf = new X509Certificate(textOf(secret, 'tls.crt'))
    if (leaf.checkPrivateKey(createPrivateKey(textOf(secret, 'tls.key')))) return
    this.faults.push(`Secret ${name} at ${version} holds a key that is not its certificate's`)
  }

  certificate(certificate: Json): void {
    this.observations++
    const name = textAt(certificate, 'metadata', 'name')
    const ready = conditionOf(certificate, 'Ready')
    if (at(ready, 'status') === 'True') {
      this.#wasReady.add(name)
      this.#endLag(name)
      return
    }
    if (!this.#wasReady.has(name)) return
    const fault = `Certificate ${name} is not Ready: ${JSON.stringify(ready)}`
    // cert-manager sees a Secret and the Certificate of it by two watches; one may lag behind.
    if (at(ready, 'reason') !== 'SecretMismatch') this.faults.push(fault)
    else if (!this.#lagging.has(name)) this.#lagging.set(name, { since: performance.now(), fault })
  }

  #endLag(name: string): void {
    const lag = this.#lagging.get(name)
    if (lag === undefined) return
    this.#lagging.delete(name)
    if (performance.now() - lag.since < longestLagMs) this.lags++
    else this.faults.push(lag.fault)
  }

  stop(): void {
    for (const { fault } of this.#lagging.values()) this.faults.push(fault)
    for (const stop of this.#stops) stop()
  }
}
