import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ApiClient } from './api_client.ts'
import { createAuthority } from './authority.ts'
import { startCertManager, startWebhook } from './cert_manager.ts'
import { Cluster } from './cluster.ts'
import { etcd, type Ground, kubeApiServer, kubeControllerManager } from './control_plane.ts'
import { createCrd } from './custom_resources.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { freePorts, saysPortTaken } from './ports.ts'
import { ProcessGroup } from './process_group.ts'
import { seconds } from './progress.ts'
import { Scratch } from './scratch.ts'
import { ensureTools, type Tools } from './tools.ts'
import { GiveUp, until } from './until.ts'

export interface ClusterOptions {
  /** cert-manager's controllers and webhook; `args` go to the controllers. Default true. */
  readonly certManager?: boolean | { readonly args: readonly string[] }
  /** kube-controller-manager. Default false. */
  readonly controllerManager?: boolean
  /** Keeps what `auditEvents` reads. Default false. */
  readonly audit?: boolean
  /** YAML of CRDs, one each, created while the cluster starts. */
  readonly crds?: readonly string[]
  readonly apiServerArgs?: readonly string[]
  /** Default https://kubernetes.default.svc. */
  readonly tokenIssuer?: string
  /** Gets a line for each step that is done. */
  readonly log?: (line: string) => void
}

const maxTries = 3

/** Starts a control plane on free ports of 127.0.0.1 and waits until it can be used. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const tools = await ensureTools()
  for (let tries = 1; ; tries++) {
    const scratch = new Scratch('cluster')
    const processes = new ProcessGroup()
    try {
      return await bringUp(tools, scratch, processes, options)
    } catch (error) {
      await processes.stop()
      scratch.empty()
      const message = error instanceof Error ? error.message : String(error)
      if (saysPortTaken(message) && tries < maxTries) continue
      throw new Error(`the cluster did not start: ${message}\nlogs: ${scratch.logs}`, {
        cause: error,
      })
    }
  }
}

async function bringUp(
  tools: Tools,
  scratch: Scratch,
  processes: ProcessGroup,
  options: ClusterOptions,
): Promise<Cluster> {
  const steps = stopwatch(options.log)
  const [apiPort = 0] = await freePorts(1)
  const { ground, kubeconfig } = await createGround(tools, scratch, apiPort)
  const tokenIssuer = options.tokenIssuer ?? 'https://kubernetes.default.svc'
  const auditLog = options.audit ? join(scratch.logs, 'audit.log') : undefined
  const certManager = options.certManager ?? true

  const startControlPlane = async () => {
    const [clientPort = 0, peerPort = 0] = await freePorts(2)
    const serverOptions = await kubeApiServer(ground, {
      etcdUrl: `http://127.0.0.1:${clientPort}`,
      port: apiPort,
      tokenIssuer,
      auditLog,
      extraArgs: options.apiServerArgs ?? [],
    })
    await processes.start('store', etcd(ground, clientPort, peerPort))
    steps('etcd')
    await processes.start('server', serverOptions)
    steps('kube-apiserver')
  }
  const installAddOns = async (): Promise<string | undefined> => {
    // The webhook needs no API server to start, and takes a while.
    const hook = certManager === false ? undefined : await startWebhook(ground, processes)
    await untilAnswering(ground, processes)
    // As early as possible: the API server holds back the first writes of their objects.
    await Promise.all((options.crds ?? []).map((yaml) => createCrd(ground.admin, yaml)))
    if (certManager === false || !hook) return undefined
    const args = certManager === true ? [] : certManager.args
    return startCertManager(ground, processes, { hook, crds: tools.path('crds'), args })
  }
  const [, metricsUrl] = await Promise.all([startControlPlane(), installAddOns()])
  if (metricsUrl !== undefined) steps('cert-manager')
  if (options.controllerManager) {
    const [port = 0] = await freePorts(1)
    const manager = await ground.kubeconfigFor('kube-controller-manager', managerUser)
    await processes.start('client', kubeControllerManager(ground, manager, port))
    steps('kube-controller-manager')
  }
  processes.assertRunning()
  const parts = { ground, scratch, processes, kubeconfig, tokenIssuer, auditLog, metricsUrl }
  return new Cluster(parts)
}

/** The API server answers some 2 s before it calls itself ready. */
async function untilAnswering({ admin }: Ground, processes: ProcessGroup): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=1'
  await until('kube-apiserver answers', async () => {
    if (processes.isEnding) throw new GiveUp('the cluster is ending')
    return (await admin.api('GET', path)).code === 200
  })
}

const managerUser = '/CN=system:kube-controller-manager'

async function createGround(
  tools: Tools,
  scratch: Scratch,
  apiPort: number,
): Promise<{ ground: Ground; kubeconfig: string }> {
  const authority = await createAuthority(join(scratch.dir, 'pki'))
  const server = { url: `https://127.0.0.1:${apiPort}`, caPem: authority.caPem }
  const issueUser = async (name: string, subject: string) => {
    const pair = await authority.issue(name, { subject, usage: 'clientAuth' })
    const pems = {
      certPem: readFileSync(pair.cert, 'utf8'),
      keyPem: readFileSync(pair.key, 'utf8'),
    }
    const file = join(scratch.dir, `${name}.kubeconfig`)
    return { ...pems, kubeconfig: writeKubeconfig(file, server, pems) }
  }
  const { certPem, keyPem, kubeconfig } = await issueUser('admin', '/O=system:masters/CN=admin')
  const adminServer = { ...server, certPem, keyPem }
  const ground: Ground = {
    dir: scratch.dir,
    logs: scratch.logs,
    authority,
    program: tools.path,
    server: adminServer,
    admin: new ApiClient(adminServer),
    kubeconfigFor: async (name, subject) => (await issueUser(name, subject)).kubeconfig,
  }
  return { ground, kubeconfig }
}

/** Tells how long each step took. */
function stopwatch(log: ClusterOptions['log']): (step: string) => void {
  let last = performance.now()
  return (step) => {
    const now = performance.now()
    log?.(`${step} ready in ${seconds(now - last)}`)
    last = now
  }
}
