import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ApiPath, Cluster } from '../cluster.ts'
import { freePorts } from '../ports.ts'
import type { RunningProcess } from '../process.ts'
import { ensureIstio } from '../tools.ts'
import { type Istiod, istiodHost } from './istiod.ts'

export interface GatewayOptions {
  /** Of its ServiceAccount and its process. Default istio-ingressgateway. */
  readonly name?: string
  /** Of the ServiceAccount; Secrets are read from here and nowhere else. */
  readonly namespace: string
  /** What Gateway objects select. */
  readonly labels: Readonly<Record<string, string>>
  /** PEM: by whom istiod's certificate is verified. */
  readonly roots: string
}

/** An Envoy that is what Gateway objects with its labels say, as istiod tells it. */
export interface EnvoyGateway {
  readonly process: RunningProcess
  readonly adminUrl: string
}

/** Starts Envoy with a token of its ServiceAccount and the rights that Istio's chart gives it. */
export async function startEnvoyGateway(
  istiod: Istiod,
  options: GatewayOptions,
): Promise<EnvoyGateway> {
  const { cluster } = istiod
  const { envoy } = await ensureIstio()
  const { name = 'istio-ingressgateway', namespace } = options
  const account = await cluster.serviceAccount(namespace, name)
  await allowSecrets(cluster, namespace, name)
  const [adminPort = 0] = await freePorts(1)
  const config = bootstrap(istiod, adminPort, await account.token('istio-ca'), {
    ...options,
    name,
  })
  const file = join(cluster.dir, `${name}.envoy.json`)
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  const adminUrl = `http://127.0.0.1:${adminPort}`
  const process = await cluster.run({
    name,
    command: envoy,
    // Two Envoys of one machine would take each other for generations of one.
    args: ['-c', file, '--disable-hot-restart', '--concurrency', '1'],
    cwd: cluster.dir,
    readyWhen: async () => (await fetch(`${adminUrl}/ready`)).ok,
  })
  return { process, adminUrl }
}

/** istiod hands out a Secret only to who may list them. */
async function allowSecrets(cluster: Cluster, namespace: string, name: string): Promise<void> {
  const rbac: ApiPath = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
  await cluster.must('POST', `${rbac}/roles`, {
    metadata: { name },
    rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'watch', 'list'] }],
  })
  await cluster.must('POST', `${rbac}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  })
}

/** Everything but the way to istiod comes from istiod. */
function bootstrap(
  istiod: Istiod,
  adminPort: number,
  token: string,
  { name = '', namespace, labels, roots }: GatewayOptions,
): object {
  const fromIstiod = { ads: {}, resource_api_version: 'V3' }
  return {
    node: {
      id: `router~127.0.0.1~${name}.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `${name}.${namespace}`,
      metadata: {
        CLUSTER_ID: istiod.clusterId,
        NAMESPACE: namespace,
        SERVICE_ACCOUNT: name,
        ISTIO_VERSION: '1.31.0',
        INSTANCE_IPS: '127.0.0.1',
        LABELS: labels,
      },
    },
    admin: { address: loopback(adminPort) },
    dynamic_resources: {
      lds_config: fromIstiod,
      cds_config: fromIstiod,
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: { cluster_name: 'istiod' },
            initial_metadata: [
              { key: 'authorization', value: `Bearer ${token}` },
              { key: 'clusterid', value: istiod.clusterId },
            ],
          },
        ],
      },
    },
    static_resources: { clusters: [istiodCluster(istiod.securePort, roots)] },
  }
}

function istiodCluster(port: number, roots: string): object {
  const endpoint = { endpoint: { address: loopback(port) } }
  const validation = {
    trusted_ca: { inline_string: roots },
    match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: istiodHost } }],
  }
  return {
    name: 'istiod',
    type: 'STATIC',
    connect_timeout: '2s',
    load_assignment: { cluster_name: 'istiod', endpoints: [{ lb_endpoints: [endpoint] }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
        'upstreams.http.v3.HttpProtocolOptions',
        { explicit_http_config: { http2_protocol_options: {} } },
      ),
    },
    transport_socket: {
      name: 'tls',
      typed_config: typed('transport_sockets.tls.v3.UpstreamTlsContext', {
        sni: istiodHost,
        common_tls_context: { validation_context: validation },
      }),
    },
  }
}

function typed(type: string, value: object): object {
  return { '@type': `type.googleapis.com/envoy.extensions.${type}`, ...value }
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } }
}
