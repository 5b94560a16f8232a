// `make demo`: the whole way of a certificate, on real parts: node e2e/demo.ts
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { verifySecretChain } from './demo/chain.ts'
import { follow } from './demo/timeline.ts'
import type { Cluster } from './harness/cluster.ts'
import { at, conditionOf, textAt } from './harness/json.ts'
import { seconds } from './harness/progress.ts'
import { register } from './harness/registry.ts'
import { startCluster } from './harness/start_cluster.ts'
import { ensureTools } from './harness/tools.ts'
import { until } from './harness/until.ts'
import { createVaultCa } from './product/ca.ts'
import { federate, installProduct, startController } from './product/controller.ts'
import { type DevVault, startDevVault } from './product/dev_vault.ts'
import { clusterIssuer } from './product/manifests.ts'

const folder = join(import.meta.dirname, '..', '.demo')
const manifests = join(import.meta.dirname, 'demo')
const keep = process.env.KEEP === '1'
const issuerPath = '/apis/keyvault.akv-issuer.io/v1alpha1/clusterissuers'

/** Key Vault within one region answers in some tens of milliseconds. */
const vaultLatency = '--latency=*=20'

const begun = performance.now()
const { folders } = await ensureTools()
head('Control plane, from nothing')
const cluster = await startCluster({ certManager: { args: ['--controllers=*'] }, log: say })
try {
  const vault = await startVault()
  await startIssuer(vault)
  await showCertificate('myapp-cert', 'myapp-tls', 'The user’s manifest: issuerRef without a group')
  await showCertificate('myapp-cert-grouped', 'myapp-tls-grouped', 'The same with our group')
  await showKubectl()
  if (keep) await leaveRunning(vault)
} finally {
  if (!keep || process.exitCode !== undefined) await cluster.stop()
}
say('')
say(
  `done in ${seconds(performance.now() - begun)}${keep ? '' : '; everything it started has ended'}`,
)

async function startVault(): Promise<DevVault> {
  head('Dev vault (a stand-in for Key Vault and Entra, for trial only)')
  const vault = await timed('dev vault', () => startDevVault(cluster, [vaultLatency]))
  await federate(cluster, vault)
  say(`${vault.url} leads to ${textAt(vault.info, 'vaultUrl')}; each call takes 20 ms more`)
  return vault
}

async function startIssuer(vault: DevVault): Promise<void> {
  head('akv-issuer')
  const ca = await createVaultCa(vault, 'demo-ca')
  say(`CA key ${vault.url}/keys/${ca.key.name}/${ca.key.version} is in the vault`)
  await timed('CRDs and RBAC', () => installProduct(cluster))
  await timed('controller', () => startController(cluster, vault))
  await cluster.must(
    'POST',
    issuerPath,
    clusterIssuer('akv-issuer', vault.url, ca, { answerUngrouped: true }),
  )
  const issuer = await timed('ClusterIssuer akv-issuer', () =>
    until('issuer Ready', async () => {
      const object = await cluster.must('GET', `${issuerPath}/akv-issuer`)
      return at(conditionOf(object, 'Ready'), 'status') === 'True' && object
    }),
  )
  say(`Ready: ${textAt(conditionOf(issuer, 'Ready'), 'message')}`)
  await cluster.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system' } })
}

async function showCertificate(name: string, secretName: string, title: string): Promise<void> {
  head(title)
  say(`kubectl apply -f e2e/demo/${name}.yaml`)
  const followed = await follow(cluster, join(manifests, `${name}.yaml`), name, secretName)
  for (const { ms, what } of followed.steps) say(`${(ms / 1000).toFixed(3).padStart(7)} s  ${what}`)
  const { verdict, leaf } = await verifySecretChain(followed.secret)
  say(`openssl verify -x509_strict: ${verdict}`)
  for (const line of leaf.split('\n')) say(`  ${line.trim()}`)
  say(`created to Ready in ${seconds(followed.ms)}`)
}

async function showKubectl(): Promise<void> {
  head('What kubectl shows')
  const commands = [
    ['get', 'akvci'],
    ['get', 'certificates,certificaterequests', '-n', 'istio-system'],
  ]
  for (const command of commands) {
    say(`$ kubectl ${command.join(' ')}`)
    const { stdout, stderr } = await cluster.kubectl(command)
    for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) say(line)
  }
}

async function leaveRunning(vault: DevVault): Promise<void> {
  mkdirSync(folder, { recursive: true })
  register(join(folder, 'processes.json'), [cluster])
  await cluster.release()
  writeFileSync(join(folder, 'env'), environment(cluster, vault))
  head('Left running')
  say('. .demo/env       for KUBECONFIG, kubectl on PATH, and the dev vault’s addresses')
  say('make demo-down    ends it')
}

function environment({ kubeconfig, dir }: Cluster, vault: DevVault): string {
  const exports = {
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(dir, 'kubectl-cache'),
    PATH: `${folders.join(':')}:$PATH`,
    DEV_VAULT_URL: textAt(vault.info, 'vaultUrl'),
    DEV_VAULT_CA_FILE: textAt(vault.info, 'caFile'),
    DEV_VAULT_ADMIN_URL: vault.adminUrl,
  }
  return Object.entries(exports)
    .map(([name, value]) => `export ${name}="${value}"\n`)
    .join('')
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await work()
  say(`${what} ready in ${seconds(performance.now() - start)}`)
  return result
}

function head(title: string): void {
  process.stdout.write(`\n== ${title}\n`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
