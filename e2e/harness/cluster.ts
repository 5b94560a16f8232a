import { join } from 'node:path'
import type { Answer, CallOptions, Method } from './api_client.ts'
import { type AuditEvent, readAudit } from './audit.ts'
import type { Authority } from './authority.ts'
import type { Ground } from './control_plane.ts'
import { createCrd } from './custom_resources.ts'
import { type Json, textAt } from './json.ts'
import { type KubectlOptions, runKubectl } from './kubectl.ts'
import type { ProcessOptions, RunningProcess } from './process.ts'
import type { ProcessGroup } from './process_group.ts'
import type { ProgramResult } from './program.ts'
import type { Scratch } from './scratch.ts'
import { createServiceAccount, type ServiceAccount } from './service_account.ts'
import { type WatchEvent, watch } from './watch.ts'

export interface ClusterParts {
  readonly ground: Ground
  readonly scratch: Scratch
  readonly processes: ProcessGroup
  /** Of the user admin, a member of system:masters. */
  readonly kubeconfig: string
  /** `iss` of service account tokens, and the audience the API server itself accepts. */
  readonly tokenIssuer: string
  readonly auditLog: string | undefined
  readonly metricsUrl: string | undefined
}

/** Path of the API, as in `/apis/cert-manager.io/v1`. */
export type ApiPath = `/${string}`

/** A running control plane of its own, reached as admin. Made by `startCluster`. */
export class Cluster {
  readonly dir: string
  readonly logs: string
  readonly url: string
  readonly caFile: string
  readonly caPem: string
  readonly kubeconfig: string
  readonly tokenIssuer: string
  /** Signs the cluster's certificates; a test may replace them. */
  readonly authority: Authority
  readonly #parts: ClusterParts
  readonly #watches = new Set<() => void>()

  constructor(parts: ClusterParts) {
    this.#parts = parts
    this.dir = parts.ground.dir
    this.logs = parts.ground.logs
    this.url = parts.ground.server.url
    this.authority = parts.ground.authority
    this.caFile = parts.ground.authority.caFile
    this.caPem = parts.ground.authority.caPem
    this.kubeconfig = parts.kubeconfig
    this.tokenIssuer = parts.tokenIssuer
  }

  /** Prometheus text of cert-manager's controller. */
  get metricsUrl(): string {
    const { metricsUrl } = this.#parts
    if (metricsUrl === undefined) throw new Error('this cluster has no cert-manager')
    return metricsUrl
  }

  api(method: Method, path: ApiPath, body?: unknown, options?: CallOptions): Promise<Answer> {
    return this.#parts.ground.admin.api(method, path, body, options)
  }

  /** The body of a 2xx answer; throws with the server's message on any other. */
  must(method: Method, path: ApiPath, body?: unknown, options?: CallOptions): Promise<Json> {
    return this.#parts.ground.admin.must(method, path, body, options)
  }

  /** Present objects first; goes on until the function returned is called or the cluster stops. */
  watch(path: ApiPath, onEvent: (event: WatchEvent) => void): () => void {
    const stop = watch(this.#parts.ground.server, path, onEvent)
    this.#watches.add(stop)
    return stop
  }

  kubectl(args: readonly string[], options?: KubectlOptions): Promise<ProgramResult> {
    const { ground, kubeconfig } = this.#parts
    const setting = { program: ground.program('kubectl'), kubeconfig, home: this.dir }
    return runKubectl(setting, args, options)
  }

  /** A new namespace with a name of its own. Namespaces end only with a controller manager. */
  async namespace(prefix: string): Promise<string> {
    const made = await this.must('POST', '/api/v1/namespaces', {
      metadata: { generateName: `${prefix}-` },
    })
    return textAt(made, 'metadata', 'name')
  }

  /** As the option `crds`, but later: the first write of such an object then takes 2 s. */
  createCrd(yaml: string): Promise<void> {
    return createCrd(this.#parts.ground.admin, yaml)
  }

  /** Creates the account and what it needs; it may do nothing until somebody binds a role to it. */
  serviceAccount(namespace: string, name: string): Promise<ServiceAccount> {
    return createServiceAccount(this.#parts.ground, this.tokenIssuer, namespace, name)
  }

  /** The public keys of service account tokens, a JSON Web Key Set. */
  jwks(): Promise<Json> {
    return this.must('GET', '/openid/v1/jwks')
  }

  /** All requests answered so far. Needs the option `audit`. */
  auditEvents(): Promise<readonly AuditEvent[]> {
    const { auditLog, ground } = this.#parts
    if (auditLog === undefined) throw new Error('start the cluster with audit: true')
    return readAudit(auditLog, ground.admin)
  }

  /** etcd, kube-apiserver, cert-manager-webhook, … or one started by `run`. */
  process(name: string): RunningProcess {
    return this.#parts.processes.get(name)
  }

  get processes(): readonly RunningProcess[] {
    return this.#parts.processes.all
  }

  /** Starts a program that uses the cluster; it ends before the cluster does. */
  run(options: Omit<ProcessOptions, 'logFile'>): Promise<RunningProcess> {
    const logFile = join(this.logs, `${options.name}.log`)
    return this.#parts.processes.start('guest', { ...options, logFile })
  }

  /** Ends everything and removes all but the logs, which go when this process ends well. */
  async stop(): Promise<void> {
    for (const stop of this.#watches) stop()
    this.#parts.ground.admin.close()
    await this.#parts.processes.stop()
    this.#parts.scratch.empty()
  }

  /** Lets the cluster and its guests outlive this process. Their folder stays until they end. */
  async release(): Promise<void> {
    for (const stop of this.#watches) stop()
    await this.#parts.processes.release()
    this.#parts.scratch.handOver(this.process('etcd').identity)
    this.#parts.ground.admin.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
