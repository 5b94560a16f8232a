import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../cluster.ts'
import { freePorts } from '../ports.ts'
import type { RunningProcess } from '../process.ts'
import { ensureIstio } from '../tools.ts'
import { mountSecret } from './secret_mount.ts'

export const istioNamespace = 'istio-system'

/** What istiod's own certificate says, and clients expect. */
export const istiodHost = `istiod.${istioNamespace}.svc`

export interface IstiodOptions {
  /** Of its process; several in one cluster differ. */
  readonly name?: string
  /** How a mesh of several clusters calls this one. Default Kubernetes, as Istio's. */
  readonly clusterId?: string
  /**
   * How istiod gets Secret `cacerts`, which must be there: in a folder that follows it, or by reading
   * it once; or not at all, where another signs for it. Default followed.
   */
  readonly cacerts?: 'followed' | 'read once' | 'none'
  /** With whose rights it works. Default an admin's. */
  readonly kubeconfig?: string
  /** Added to its environment, such as ISTIO_MULTIROOT_MESH. */
  readonly env?: Readonly<Record<string, string>>
}

/** An istiod of a cluster, that signs with what its Secret `cacerts` holds. */
export interface Istiod {
  readonly process: RunningProcess
  readonly cluster: Cluster
  readonly clusterId: string
  /** TLS: configuration for proxies, and certificates for workloads. */
  readonly securePort: number
  /** Readiness, metrics and debugging. */
  readonly httpUrl: string
}

/** Starts istiod; it listens on 127.0.0.1 and nowhere else. */
export async function startIstiod(cluster: Cluster, options: IstiodOptions = {}): Promise<Istiod> {
  const { path } = await ensureIstio()
  const { name = 'istiod', clusterId = 'Kubernetes', cacerts = 'followed' } = options
  const [httpPort = 0, securePort = 0] = await freePorts(2)
  const dir = join(cluster.dir, name)
  // Istiod looks for files below its working directory, so that is empty.
  mkdirSync(join(dir, 'work'), { recursive: true })
  const caFolder = join(dir, 'cacerts')
  // It watches the folder only if that is complete at the start.
  if (cacerts === 'followed') await mountSecret(cluster, istioNamespace, 'cacerts', caFolder)
  const httpUrl = `http://127.0.0.1:${httpPort}`
  const process = await cluster.run({
    name,
    command: path('pilot-discovery'),
    args: [
      'discovery',
      `--kubeconfig=${options.kubeconfig ?? cluster.kubeconfig}`,
      `--httpAddr=127.0.0.1:${httpPort}`,
      `--secureGRPCAddr=127.0.0.1:${securePort}`,
      // By default these listen on every interface.
      '--grpcAddr=',
      '--httpsAddr=',
      '--monitoringAddr=',
      '--ctrlz_port=0',
      '--ctrlz_address=127.0.0.1',
      '--shutdownDuration=1s',
    ],
    cwd: join(dir, 'work'),
    env: {
      PATH: globalThis.process.env.PATH ?? '/usr/bin:/bin',
      CLUSTER_ID: clusterId,
      ROOT_CA_DIR: caFolder,
      ...(cacerts === 'read once' && { USE_REMOTE_CERTS: 'true' }),
      ...forStockEnvoy,
      ...options.env,
    },
    readyWhen: async () => (await fetch(`${httpUrl}/ready`)).ok,
  })
  return { process, cluster, clusterId, securePort, httpUrl }
}

/** Without what only Istio's own build of Envoy and its agent know. */
const forStockEnvoy = {
  PILOT_ENABLE_METADATA_EXCHANGE: 'false',
  PILOT_ENABLE_ALPN_FILTER: 'false',
  PILOT_FILTER_GATEWAY_CLUSTER_CONFIG: 'true',
} as const
