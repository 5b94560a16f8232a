import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ApiClient, ApiServer } from './api_client.ts'
import { auditFlags } from './audit.ts'
import { type Authority, createTokenKeys } from './authority.ts'
import type { ProcessOptions } from './process.ts'

/** What the programs of one cluster share. */
export interface Ground {
  readonly dir: string
  readonly logs: string
  readonly authority: Authority
  /** Path of a built program. */
  readonly program: (file: string) => string
  readonly server: ApiServer
  readonly admin: ApiClient
  /** Path of a kubeconfig with a new client certificate; the subject in OpenSSL's form. */
  readonly kubeconfigFor: (name: string, subject: string) => Promise<string>
}

export interface ApiServerOptions {
  readonly etcdUrl: string
  readonly port: number
  /** `iss` of service account tokens. */
  readonly tokenIssuer: string
  readonly auditLog: string | undefined
  readonly extraArgs: readonly string[]
}

const loopback = '127.0.0.1'

export function etcd(ground: Ground, clientPort: number, peerPort: number): ProcessOptions {
  const data = join(ground.dir, 'etcd')
  // etcd refuses a data directory that others may read.
  mkdirSync(data, { mode: 0o700 })
  const client = `http://${loopback}:${clientPort}`
  const peer = `http://${loopback}:${peerPort}`
  return {
    ...common(ground, 'etcd'),
    args: [
      '--name=test',
      `--data-dir=${data}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
    readyWhen: async () => (await fetch(`${client}/health`)).ok,
  }
}

export async function kubeApiServer(
  ground: Ground,
  { etcdUrl, port, tokenIssuer, auditLog, extraArgs }: ApiServerOptions,
): Promise<ProcessOptions> {
  const { authority, dir } = ground
  const serving = await authority.issue('apiserver', {
    subject: '/CN=kube-apiserver',
    usage: 'serverAuth',
    names: `IP:${loopback},IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc`,
  })
  const tokens = createTokenKeys(join(dir, 'pki'), 'service-accounts')
  return {
    ...common(ground, 'kube-apiserver'),
    args: [
      `--etcd-servers=${etcdUrl}`,
      `--bind-address=${loopback}`,
      `--secure-port=${port}`,
      // Else it publishes its address as an Endpoint, where loopback is refused.
      '--endpoint-reconciler-type=none',
      '--service-cluster-ip-range=10.0.0.0/24',
      `--tls-cert-file=${serving.cert}`,
      `--tls-private-key-file=${serving.key}`,
      `--client-ca-file=${authority.caFile}`,
      '--authorization-mode=RBAC',
      '--anonymous-auth=false',
      `--service-account-issuer=${tokenIssuer}`,
      `--api-audiences=${tokenIssuer}`,
      `--service-account-key-file=${tokens.public}`,
      `--service-account-signing-key-file=${tokens.private}`,
      ...(auditLog === undefined ? [] : auditFlags(join(dir, 'audit.json'), auditLog)),
      ...extraArgs,
    ],
    readyWhen: async () => (await ground.admin.api('GET', '/readyz')).code === 200,
    // About 1 s when nobody watches; with an open HTTP/1.1 watch it would wait for a minute.
    graceMs: 3_000,
  }
}

/** Needed only for default service accounts, garbage collection and the end of namespaces. */
export function kubeControllerManager(
  ground: Ground,
  kubeconfig: string,
  port: number,
): ProcessOptions {
  return {
    ...common(ground, 'kube-controller-manager'),
    args: [
      `--kubeconfig=${kubeconfig}`,
      `--bind-address=${loopback}`,
      `--secure-port=${port}`,
      '--leader-elect=false',
      `--service-account-private-key-file=${join(ground.dir, 'pki', 'service-accounts.key')}`,
      `--root-ca-file=${ground.authority.caFile}`,
      // Without it the controllers log errors for ever.
      '--use-service-account-credentials=true',
      '--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,root-ca-certificate-publisher-controller',
    ],
  }
}

/** Name, program, folder, log and environment: the same for all programs of a cluster. */
export function common(
  ground: Ground,
  name: string,
): Pick<ProcessOptions, 'name' | 'command' | 'cwd' | 'logFile' | 'env'> {
  return {
    name,
    command: ground.program(name),
    cwd: ground.dir,
    logFile: join(ground.logs, `${name}.log`),
    env: { PATH: process.env.PATH ?? '', HOME: ground.dir },
  }
}
