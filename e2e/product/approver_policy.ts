import type { ApiPath, Cluster } from '../harness/cluster.ts'
import { at, listAt, textAt } from '../harness/json.ts'
import { freePorts } from '../harness/ports.ts'
import type { RunningProcess } from '../harness/process.ts'
import { ensureApproverPolicy } from '../harness/tools.ts'
import { until } from '../harness/until.ts'
import { helm } from './chart.ts'
import { grant, inEffect } from './users.ts'

const namespace = 'cert-manager'
/** Of the release, and of all that its chart creates. */
const name = 'cert-manager-approver-policy'

export const approverPolicies: ApiPath =
  '/apis/policy.cert-manager.io/v1alpha1/certificaterequestpolicies'

/**
 * Installs cert-manager's approver-policy by its own chart, and runs it with the rights and flags that the chart
 * gives it. Its webhook judges policies from then on.
 */
export async function startApproverPolicy(cluster: Cluster): Promise<RunningProcess> {
  const { path } = await ensureApproverPolicy()
  const install = ['install', name, path('approver-policy-chart'), `--namespace=${namespace}`]
  const { code, stderr } = await helm(cluster, install)
  if (code !== 0) throw new Error(`helm ${install.join(' ')}: ${stderr}`)
  await until('policies served', async () => {
    return (await cluster.api('GET', approverPolicies)).code === 200
  })
  const deployments: ApiPath = `/apis/apps/v1/namespaces/${namespace}/deployments`
  const deployment = await cluster.must('GET', `${deployments}/${name}`)
  const pod = at(deployment, 'spec', 'template', 'spec')
  const account = await cluster.serviceAccount(namespace, textAt(pod, 'serviceAccountName'))
  const [port = 0, readyPort = 0] = await freePorts(2)
  const started = await cluster.run({
    name: 'approver-policy',
    command: path('approver-policy'),
    args: [
      ...listAt(pod, 'containers', 0, 'args').map((arg) => textAt(arg)),
      `--kubeconfig=${account.kubeconfig}`,
      `--leader-election-namespace=${namespace}`,
      '--webhook-host=127.0.0.1',
      `--webhook-port=${port}`,
      `--readiness-probe-bind-address=127.0.0.1:${readyPort}`,
      '--metrics-bind-address=0',
    ],
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: cluster.dir },
    readyWhen: async () => (await fetch(`http://127.0.0.1:${readyPort}/readyz`)).ok,
  })
  await registerWebhook(cluster, port)
  return started
}

/** Lets cert-manager, who makes the requests of Certificates, use a policy in a namespace. */
export async function letCertManagerUse(
  cluster: Cluster,
  policy: string,
  inNamespace: string,
): Promise<void> {
  await grant(cluster, inNamespace, `use-${policy}`, [ruleFor(policy)], certManager)
}

/**
 * Waits until cert-manager may use a policy in a namespace. approver-policy looks at a waiting request when
 * it sees a new RoleBinding, which may be before the API server goes by that, and then not again.
 */
export async function untilUsable(
  cluster: Cluster,
  policy: string,
  inNamespace: string,
): Promise<void> {
  await inEffect(cluster, inNamespace, [ruleFor(policy)], certManager)
}

const certManager = { kind: 'ServiceAccount', name: 'cert-manager', namespace } as const

function ruleFor(policy: string) {
  return {
    apiGroups: ['policy.cert-manager.io'],
    resources: ['certificaterequestpolicies'],
    resourceNames: [policy],
    verbs: ['use'],
  }
}

/** Does what cert-manager's cainjector and kube-proxy would do: the CA into the webhook, a way to its Service. */
async function registerWebhook(cluster: Cluster, port: number): Promise<void> {
  const core: ApiPath = `/api/v1/namespaces/${namespace}`
  const caBundle = await until("the CA of approver-policy's webhook", async () => {
    const ca = at(await cluster.must('GET', `${core}/secrets/${name}-tls`), 'data', 'ca.crt')
    return typeof ca === 'string' && ca
  })
  await cluster.must('PATCH', `${core}/services/${name}`, {
    spec: { type: 'ExternalName', externalName: '127.0.0.1' },
  })
  await cluster.must(
    'PATCH',
    `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${name}`,
    [
      { op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: caBundle },
      { op: 'add', path: '/webhooks/0/clientConfig/service/port', value: port },
    ],
    { contentType: 'application/json-patch+json' },
  )
  await until("approver-policy's webhook in effect", async () => {
    const { body } = await cluster.api('POST', `${approverPolicies}?dryRun=All`, {
      apiVersion: 'policy.cert-manager.io/v1alpha1',
      kind: 'CertificateRequestPolicy',
      metadata: { name: 'probe' },
      spec: { selector: {} },
    })
    const message = at(body, 'message')
    return typeof message === 'string' && message.includes('one of issuerRef or namespace must be')
  })
}
