import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { createCsr } from './authority.ts'
import { common, type Ground } from './control_plane.ts'
import { createCrd } from './custom_resources.ts'
import { at, type Json, listAt, parseJson, textAt } from './json.ts'
import { freePorts } from './ports.ts'
import type { ProcessGroup } from './process_group.ts'
import { until } from './until.ts'

const group = '/apis/cert-manager.io/v1'

/**
 * cert-manager's user. It is a service account and no member of system:masters, so that its right
 * to approve requests of a signer comes from RBAC, as in production.
 */
const user = '/O=system:serviceaccounts/CN=system:serviceaccount:cert-manager:cert-manager'

export interface Webhook {
  readonly port: number
  /** cert-manager's, for the controller too. */
  readonly kubeconfig: string
}

/** Starts the webhook, which does not need the API server for that. */
export async function startWebhook(ground: Ground, processes: ProcessGroup): Promise<Webhook> {
  const [port = 0] = await freePorts(1)
  const kubeconfig = await ground.kubeconfigFor('cert-manager', user)
  const serving = await ground.authority.issue('webhook', {
    subject: '/CN=cert-manager-webhook',
    usage: 'serverAuth',
    names: 'IP:127.0.0.1',
  })
  await processes.start('server', {
    ...common(ground, 'cert-manager-webhook'),
    args: [
      `--listen=127.0.0.1:${port}`,
      `--kubeconfig=${kubeconfig}`,
      `--tls-cert=${serving.cert}`,
      `--tls-key=${serving.key}`,
    ],
    readyWhen: () => isServing(port, ground.authority.caPem),
  })
  return { port, kubeconfig }
}

/**
 * Registers the webhook, installs CRDs and RBAC, starts the controllers. The API server must answer,
 * but need not be ready. Returns the URL of the controllers' metrics.
 */
export async function startCertManager(
  ground: Ground,
  processes: ProcessGroup,
  setting: { readonly hook: Webhook; readonly crds: string; readonly args: readonly string[] },
): Promise<string> {
  await registerWebhook(ground, setting.hook.port)
  await installCertManager(ground, setting.crds)
  const [metricsPort = 0] = await freePorts(1)
  const metrics = `127.0.0.1:${metricsPort}`
  await Promise.all([
    processes.start('client', {
      ...common(ground, 'cert-manager-controller'),
      args: [`--kubeconfig=${setting.hook.kubeconfig}`, `--metrics=${metrics}`, ...setting.args],
      readyWhen: (output) => output.includes('READY controllers='),
    }),
    untilWebhookInEffect(ground),
  ])
  return `http://${metrics}/metrics`
}

/** Makes the API server ask the webhook. */
async function registerWebhook({ admin, authority }: Ground, port: number): Promise<void> {
  const webhookOf = (path: string, rule: object) => ({
    metadata: { name: 'cert-manager-webhook' },
    webhooks: [
      {
        name: 'webhook.cert-manager.io',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        timeoutSeconds: 10,
        clientConfig: {
          url: `https://127.0.0.1:${port}${path}`,
          caBundle: Buffer.from(authority.caPem).toString('base64'),
        },
        rules: [{ apiVersions: ['v1'], ...rule }],
      },
    ],
  })
  const registrations = '/apis/admissionregistration.k8s.io/v1'
  await admin.must(
    'POST',
    `${registrations}/mutatingwebhookconfigurations`,
    webhookOf('/mutate', {
      apiGroups: ['cert-manager.io'],
      operations: ['CREATE'],
      resources: ['certificaterequests'],
    }),
  )
  await admin.must(
    'POST',
    `${registrations}/validatingwebhookconfigurations`,
    webhookOf('/validate', {
      apiGroups: ['cert-manager.io', 'acme.cert-manager.io'],
      operations: ['CREATE', 'UPDATE'],
      resources: ['*/*'],
    }),
  )
}

/** Creates cert-manager's CRDs, waits until they are served, and gives cert-manager its rights. */
async function installCertManager({ admin }: Ground, crdFolder: string): Promise<void> {
  await admin.must('POST', '/api/v1/namespaces', { metadata: { name: 'cert-manager' } })
  const crds = readdirSync(crdFolder).filter((name) => name.endsWith('.yaml'))
  await Promise.all(
    crds.map((name) => createCrd(admin, readFileSync(join(crdFolder, name), 'utf8'))),
  )
  const rbac = readFileSync(join(import.meta.dirname, 'cert_manager_rbac.json'), 'utf8')
  for (const object of listAt(parseJson(rbac))) {
    const plural = `${textAt(object, 'kind').toLowerCase()}s`
    await admin.must('POST', `/apis/rbac.authorization.k8s.io/v1/${plural}`, object)
  }
}

/**
 * Waits until a wrong object is refused and a new request gets its identity fields. By then the API
 * server no longer holds writes back.
 */
async function untilWebhookInEffect({ admin, dir }: Ground): Promise<void> {
  const csr = await createCsr(join(dir, 'pki', 'webhook.key'), '/CN=probe')
  await until('validating webhook in effect', async () => {
    const answer = await admin.api('POST', `${group}/clusterissuers?dryRun=All`, {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name: 'probe' },
      spec: {},
    })
    return mentionsWebhook(answer.body)
  })
  await until('mutating webhook in effect', async () => {
    const answer = await admin.api(
      'POST',
      `${group}/namespaces/default/certificaterequests?dryRun=All`,
      {
        apiVersion: 'cert-manager.io/v1',
        kind: 'CertificateRequest',
        metadata: { name: 'probe' },
        spec: { request: Buffer.from(csr).toString('base64'), issuerRef: { name: 'probe' } },
      },
    )
    return at(answer.body, 'spec', 'username') === 'admin'
  })
}

function mentionsWebhook(body: Json): boolean {
  const message = at(body, 'message')
  return typeof message === 'string' && message.includes('webhook.cert-manager.io')
}

function isServing(port: number, caPem: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(
      { host: '127.0.0.1', port, path: '/healthz', ca: caPem, agent: false },
      (response) => {
        response.resume()
        resolve(response.statusCode === 200)
      },
    )
    call.on('error', () => resolve(false)).end()
  })
}
