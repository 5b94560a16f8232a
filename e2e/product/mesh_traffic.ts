import { setTimeout as delay } from 'node:timers/promises'
import { istioNamespace } from '../harness/istio/istiod.ts'
import { meet, type Workload } from '../harness/istio/workload.ts'
import { until } from '../harness/until.ts'
import { textOf } from './delivery_scene.ts'
import type { Scene } from './scene.ts'
import { certificatesOf } from './tls_secret.ts'

/** Somebody who may hold another certificate the next time. */
export interface Party {
  readonly name: string
  readonly now: () => Workload
}

/** Full handshakes by mutual TLS between two parties, each as server and as client, until it is stopped. */
export class MeshTraffic {
  /** What failed, each a line. */
  readonly failures: string[] = []
  handshakes = 0
  readonly #work: Promise<unknown>
  #stopped = false

  constructor(pairs: readonly (readonly [Party, Party])[]) {
    this.#work = Promise.all(
      pairs.flatMap(([one, other]) => [this.#shakeHands(one, other), this.#shakeHands(other, one)]),
    )
  }

  async stop(): Promise<this> {
    this.#stopped = true
    await this.#work
    return this
  }

  async #shakeHands(serving: Party, calling: Party): Promise<void> {
    while (!this.#stopped) {
      const [server, client] = [serving.now(), calling.now()]
      const met = await meet(server, client)
      this.handshakes++
      if (met.server !== client.identity || met.client !== server.identity) {
        const words = `server saw ${met.server}, client saw ${met.client}`
        this.failures.push(`${calling.name} to ${serving.name}: ${words}`)
      }
      await delay(pauseMs)
    }
  }
}

/** The gateway of a cluster: what stands in its Secret it shows to new connections, as Envoy does. */
export async function followGateway({ cluster }: Scene, name: string): Promise<Party> {
  let workload: Workload | undefined
  const secrets = `/api/v1/namespaces/${istioNamespace}/secrets` as const
  cluster.watch(`${secrets}?fieldSelector=metadata.name=${gatewaySecret}`, ({ object }) => {
    const chain = textOf(object, 'tls.crt')
    const identity = certificatesOf(chain)[0]?.subjectAltName ?? ''
    workload = { identity, chain, key: textOf(object, 'tls.key'), roots: textOf(object, 'ca.crt') }
  })
  const first = await until(`${gatewaySecret} of ${name}`, () => workload)
  return { name: `gateway of ${name}`, now: () => workload ?? first }
}

const gatewaySecret = 'istio-ingressgateway-certs'

/** So that the traffic is not what keeps the machine busy. */
const pauseMs = 50
