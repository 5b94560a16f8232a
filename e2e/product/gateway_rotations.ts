import { GatewayClient, type GatewayTarget } from '../harness/istio/gateway_client.ts'
import { istioNamespace } from '../harness/istio/istiod.ts'
import { until } from '../harness/until.ts'
import { textOf } from './delivery_scene.ts'
import type { Scene } from './scene.ts'
import { certificatesOf } from './tls_secret.ts'

/** What a client that never stops saw of rotations behind a gateway. */
export interface GatewayRotations {
  readonly failures: readonly string[]
  /** Full ones that were answered. */
  readonly handshakes: number
  /** From the change of the Secret to the first handshake with the new leaf, ascending. */
  readonly ms: readonly number[]
  readonly described: string
}

/**
 * Rotates the certificate in a gateway's Secret again and again under a client, which makes at least
 * 250 handshakes after each.
 *
 * @param rotate begins the next rotation
 */
export async function rotateBehindGateway(
  { cluster }: Scene,
  target: GatewayTarget,
  secretName: string,
  rotations: number,
  rotate: () => Promise<void>,
): Promise<GatewayRotations> {
  /** Serial numbers of the leaves that the Secret had, and since when. */
  const changes = new Map<string, number>()
  const path = `/api/v1/namespaces/${istioNamespace}/secrets` as const
  const stop = cluster.watch(`${path}?fieldSelector=metadata.name=${secretName}`, ({ object }) => {
    const serial = certificatesOf(textOf(object, 'tls.crt'))[0]?.serialNumber
    if (serial !== undefined && !changes.has(serial)) changes.set(serial, performance.now())
  })
  await until('the Secret as it is', () => changes.size === 1)
  const client = new GatewayClient(target)
  const ms: number[] = []
  try {
    for (let rotation = 1; rotation <= rotations; rotation++) {
      await rotate()
      const [serial, at] = await until(`${secretName} rotated`, () => [...changes][rotation])
      ms.push(Math.round((await client.seen(serial)) - at))
      const enough = client.handshakes + handshakesEach
      await until(`${handshakesEach} more handshakes`, () => client.handshakes >= enough, 60_000)
    }
  } finally {
    stop()
    await client.stop()
  }
  ms.sort((a, b) => a - b)
  const { failures, handshakes } = client
  const median = ms[ms.length >> 1]
  const described = `${rotations} rotations, Secret to wire: median ${median} ms, max ${ms.at(-1)} ms; ${client.describe()}`
  return { failures, handshakes, ms, described }
}

/** In which a client would see it if the old certificate were shown again. */
const handshakesEach = 250
