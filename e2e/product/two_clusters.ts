import type { Cluster } from '../harness/cluster.ts'
import { freePorts } from '../harness/ports.ts'
import { startCluster } from '../harness/start_cluster.ts'
import { Tutorial } from '../tutorial/tutorial.ts'
import { createVaultCa, type VaultCa } from './ca.ts'
import { federate, installProduct, startController } from './controller.ts'
import { startDevVault } from './dev_vault.ts'
import { Scene } from './scene.ts'

/** One of two clusters that share a vault and a CA, as the documents about them call it. */
export interface Member {
  readonly name: string
  readonly scene: Scene
  /** Where its gateway listens in place of 443 and 8080. */
  readonly ports: GatewayPorts
  /**
   * Opens a document of which each step is for both clusters; `versions`: those of keys that it makes
   * up, and those that are meant.
   */
  readonly open: (file: string, versions: ReadonlyMap<string, string>) => Tutorial
}

export interface GatewayPorts {
  readonly https: number
  readonly http: number
}

export interface TwoClusters {
  readonly members: readonly [Member, Member]
  /** Its key is in the vault. */
  readonly ca: VaultCa
  stop(): Promise<void>
}

export interface TwoClustersOptions {
  /** YAML of CRDs beside ours and cert-manager's, one each. */
  readonly crds?: readonly string[]
  readonly controllerFlags?: readonly string[]
}

/** Two clusters, each with cert-manager and our controller, and a dev vault that trusts both. */
export async function startTwoClusters(options: TwoClustersOptions = {}): Promise<TwoClusters> {
  const { crds = [], controllerFlags = [] } = options
  const names = ['cluster-a', 'cluster-b'] as const
  // As in AKS, each issues its tokens under a URL of its own.
  const start = (name: string) =>
    startCluster({ crds, tokenIssuer: `https://${name}.oidc.example.com` })
  const first = start(names[0])
  // API servers that start side by side take longer than one after the other.
  const second = first.then(() => start(names[1]))
  const stop = async () => {
    // The vault is a guest of the first.
    for (const one of await Promise.allSettled([second, first])) {
      if (one.status === 'fulfilled') await one.value.stop()
    }
  }
  try {
    const vaultWithCa = first.then(async (cluster) => {
      const vault = await startDevVault(cluster, ['--latency=*=20'])
      return { vault, ca: await createVaultCa(vault, 'mesh-root') }
    })
    const scene = async (starting: Promise<Cluster>) => {
      const [cluster, { vault, ca }] = await Promise.all([starting, vaultWithCa])
      await Promise.all([installProduct(cluster), federate(cluster, vault)])
      const controller = await startController(cluster, vault, { flags: controllerFlags })
      return new Scene(cluster, vault, ca, controller)
    }
    const scenes = await Promise.all([scene(first), scene(second)])
    const ports = [await gatewayPorts(), await gatewayPorts()] as const
    const members = [
      member(names[0], scenes[0], ports[0], listening(ports[0], ports[1])),
      member(names[1], scenes[1], ports[1], [...listening(ports[1], ports[0]), ...swapped(names)]),
    ] as const
    return { members, ca: scenes[0].ca, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Replacement = readonly [string, string]

function member(
  name: string,
  scene: Scene,
  ports: GatewayPorts,
  replacements: readonly Replacement[],
): Member {
  const open = (file: string, versions: ReadonlyMap<string, string>) =>
    new Tutorial(scene.cluster, file, {
      replace: new Map([...versions, ...replacements]),
      // Azure's own command line, and what would install and restart pods: no kubelet runs here.
      cannotRun: ['az ', 'helm ', 'kubectl rollout restart '],
    })
  return { name, scene, ports, open }
}

/** Gateways of both clusters are on one machine here, and on no port below 1024. */
function listening(here: GatewayPorts, there: GatewayPorts): readonly Replacement[] {
  const onLoopback = (port: number) => `- bind: 127.0.0.1\n      port: {number: ${port},`
  return [
    ['- port: {number: 443,', onLoopback(here.https)],
    ['- port: {number: 8080,', onLoopback(here.http)],
    ['{address: 203.0.113.20}', `{address: 127.0.0.1, ports: {https: ${there.https}}}`],
  ]
}

/** As the documents ask of the reader in the second cluster. */
function swapped([first, second]: readonly [string, string]): readonly Replacement[] {
  return [
    [first, '\0'],
    [second, first],
    ['\0', second],
  ]
}

async function gatewayPorts(): Promise<GatewayPorts> {
  const [https = 0, http = 0] = await freePorts(2)
  return { https, http }
}
