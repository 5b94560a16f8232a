import { createPrivateKey, X509Certificate } from 'node:crypto'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import { textOf } from './delivery_scene.ts'
import { certificatesIn, type Scene } from './scene.ts'

/** What was seen of the Secrets and Certificates of a namespace, change by change and in between. */
export class Observer {
  /** Versions of each Secret that were seen, by name. */
  readonly writes = new Map<string, Set<string>>()
  /** Pairs that did not fit together, and Certificates that were Ready and then were not. */
  readonly faults: string[] = []
  observations = 0
  readonly #wasReady = new Set<string>()
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
    if (at(ready, 'status') === 'True') this.#wasReady.add(name)
    else if (this.#wasReady.has(name)) {
      this.faults.push(`Certificate ${name} is not Ready: ${JSON.stringify(ready)}`)
    }
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }
}
