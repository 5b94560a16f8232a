import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { AuditEvent } from './harness/audit.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf } from './harness/json.ts'
import { until } from './harness/until.ts'
import { bindInNamespace, controllerNamespace } from './product/controller.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import {
  callsOfOurs,
  controllerUser,
  isAccepted,
  reasonWritten,
  writesOfOurs,
} from './product/our_calls.ts'
import { covers, rightsOf } from './product/rights.ts'
import {
  certificatesIn,
  clusterIssuers,
  issuersIn,
  requestsIn,
  type Scene,
  startScene,
} from './product/scene.ts'
import { eventsOn, logLines } from './product/told.ts'

const approverYaml = join(import.meta.dirname, '..', 'config/rbac/approver.yaml')
const approver = 'cert-manager-controller-approve:keyvault-akv-issuer-io'
const rbac = '/apis/rbac.authorization.k8s.io/v1'

/** The roles of config/rbac, and where what they grant is to be used. */
const roles: readonly { readonly path: ApiPath; readonly within?: 'own' | 'team' }[] = [
  { path: `${rbac}/clusterroles/akv-issuer-controller` },
  {
    path: `${rbac}/namespaces/${controllerNamespace}/roles/akv-issuer-controller`,
    within: 'own',
  },
  { path: `${rbac}/clusterroles/akv-issuer-issuer-references`, within: 'team' },
]

/** Granted, but not used within a minute: an Event is written again after half an hour. */
const notWithinAMinute = ['patch events.events.k8s.io']

describe('the rights of the controller', () => {
  let scene: Scene
  let team: string
  before(async () => {
    scene = await startScene({
      audit: true,
      controllerFlags: ['--issuer-ambient-identity'],
      spec: { answerUngrouped: true },
    })
    team = await scene.cluster.namespace('team')
  })
  after(() => scene?.stop())

  test('without the grant to the approver nothing is approved, and nothing of it written', async () => {
    const { cluster } = scene
    const namespace = await cluster.namespace('unapproved')
    await cluster.must('DELETE', `${rbac}/clusterrolebindings/${approver}`)
    await cluster.must('POST', certificatesIn(namespace), certificate('early'))
    const about = async () =>
      (await cluster.auditEvents()).filter(
        (event) => event.resource === 'certificaterequests' && event.name === 'early-1',
      )
    await until('the approver is refused', async () =>
      (await about()).some((event) => event.verb === 'update' && event.code === 403),
    )
    const { code, stderr } = await cluster.kubectl(['apply', '-f', approverYaml])
    assert.equal(code, 0, stderr)
    const request = await scene.ready(`${requestsIn(namespace)}/early-1`)
    const events = await cluster.auditEvents()
    const approval = (await about()).find((event) => isAccepted(event) && isApproval(event))
    assert.deepEqual(
      writesOfOurs(events, namespace).map((event) => ({
        what: reasonWritten(event),
        isLater: event.received > (approval?.received ?? 'never'),
      })),
      [{ what: 'Issued', isLater: true }],
      scene.evidence(request),
    )
  })

  test('each right is used, and none is missing', async () => {
    const { cluster, vault } = scene
    await referTo(controllerNamespace)
    await referTo(team)
    await cluster.must('PATCH', `/api/v1/namespaces/${team}`, {
      metadata: { labels: { team: 'a' } },
    })
    await bindInNamespace(cluster, team, 'akv-issuer-issuer-references')
    const spec = {
      identity: {
        clientSecret: {
          tenantId: vault.tenantId,
          clientId: vault.identity('akv-issuer').clientId,
          secretRef: { name: 'entra', key: 'secret' },
        },
      },
      ca: { key: scene.ca.key, certificate: { configMapRef: { name: 'ca', key: 'ca.crt' } } },
      policy: { namespaces: { matchLabels: { team: 'a' } } },
    }
    const { policy: _, ...local } = spec
    const issuer = clusterIssuer('by-reference', vault.url, scene.ca, spec)
    await cluster.must('POST', clusterIssuers, issuer)
    await cluster.must('POST', issuersIn(team), {
      ...clusterIssuer('local', vault.url, scene.ca, local),
      kind: 'Issuer',
    })
    await cluster.must('POST', issuersIn(team), {
      ...clusterIssuer('ambient', vault.url, scene.ca, { identity: { workload: {} } }),
      kind: 'Issuer',
    })
    await scene.ready(`${clusterIssuers}/by-reference`)
    await scene.ready(`${issuersIn(team)}/local`)
    await scene.ready(`${issuersIn(team)}/ambient`)

    const wanted = [
      certificate('grouped'),
      certificate('ungrouped', { group: undefined }),
      certificate('by-reference', { issuer: 'by-reference' }),
      certificate('local', { kind: 'Issuer', issuer: 'local' }),
      certificate('ambient', { kind: 'Issuer', issuer: 'ambient' }),
      certificate('waiting', { issuer: 'missing' }),
      certificate('too-long', { spec: { duration: '87600h' } }),
    ]
    for (const object of wanted) await cluster.must('POST', certificatesIn(team), object)
    for (const name of ['grouped', 'ungrouped', 'by-reference', 'local', 'ambient']) {
      await scene.ready(`${certificatesIn(team)}/${name}`)
    }
    await scene.ready(`${requestsIn(team)}/too-long-1`, 'False', 'Failed')
    const waiting = await scene.ready(`${requestsIn(team)}/waiting-1`, 'False', 'Pending')
    await until('an Event about it', async () => (await eventsOn(cluster, waiting)).length > 0)
    await meetConflict('conflicting')

    // A watch is in the audit log when it has ended.
    await scene.controller.stop()
    const events = await cluster.auditEvents()
    assert.deepEqual(
      callsOfOurs(events).filter(({ code }) => code === 401 || code === 403),
      [],
      'refused for want of a right',
    )
    const used = callsOfOurs(events).filter(isAccepted)
    const unused: string[] = []
    for (const { path, within } of roles) {
      for (const right of rightsOf(await cluster.must('GET', path))) {
        const namespace = within === 'own' ? controllerNamespace : within && team
        const isUsed = used.some((event) => covers(right, event, namespace))
        if (!isUsed) unused.push(`${right.verb} ${right.resource}.${right.apiGroup}`)
      }
    }
    assert.deepEqual(unused, notWithinAMinute)
  })

  const cases: readonly {
    readonly may: boolean
    readonly what: string
    readonly attributes: Readonly<Record<string, string>>
  }[] = [
    may('get', 'secrets', { namespace: controllerNamespace, name: 'entra' }),
    mayNot('list', 'secrets', { namespace: controllerNamespace }),
    mayNot('get', 'secrets', { namespace: 'default', name: 'x' }),
    mayNot('list', 'secrets'),
    mayNot('update', 'secrets', { namespace: controllerNamespace }),
    mayNot('get', 'configmaps', { namespace: 'kube-system', name: 'x' }),
    mayNot('create', 'serviceaccounts', { namespace: controllerNamespace, subresource: 'token' }),
    mayNot('list', 'namespaces'),
    mayNot('impersonate', 'users'),
    mayNot('approve', 'signers', {
      group: 'cert-manager.io',
      name: 'clusterissuers.keyvault.akv-issuer.io/akv-issuer',
    }),
    mayNot('approve', 'signers', {
      group: 'cert-manager.io',
      name: 'clusterissuers.cert-manager.io/akv-issuer',
    }),
    mayNot('get', 'certificates', { group: 'cert-manager.io', namespace: 'default' }),
    mayNot('update', 'certificates', { group: 'cert-manager.io', namespace: 'default' }),
    mayNot('create', 'certificaterequests', { group: 'cert-manager.io', namespace: 'default' }),
    mayNot('patch', 'certificaterequests', { group: 'cert-manager.io', namespace: 'default' }),
    mayNot('delete', 'certificaterequests', { group: 'cert-manager.io', namespace: 'default' }),
    mayNot('patch', 'clusterissuers', { group: 'keyvault.akv-issuer.io', name: 'akv-issuer' }),
    mayNot('delete', 'issuers', { group: 'keyvault.akv-issuer.io', namespace: 'default' }),
    mayNot('update', 'leases', {
      group: 'coordination.k8s.io',
      namespace: controllerNamespace,
      name: 'another',
    }),
    mayNot('update', 'leases', {
      group: 'coordination.k8s.io',
      namespace: 'kube-system',
      name: 'akv-issuer',
    }),
    mayNot('bind', 'clusterroles', { group: 'rbac.authorization.k8s.io', name: 'cluster-admin' }),
  ]
  for (const { may: expected, what, attributes } of cases) {
    test(what, async () => {
      const review = await scene.cluster.must(
        'POST',
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        {
          spec: {
            user: controllerUser,
            groups: [
              'system:authenticated',
              'system:serviceaccounts',
              `system:serviceaccounts:${controllerNamespace}`,
            ],
            resourceAttributes: attributes,
          },
        },
      )
      assert.equal(at(review, 'status', 'allowed'), expected, JSON.stringify(review, null, 2))
    })
  }

  /** What issuers of the namespace refer to: a CA certificate and a client secret. */
  async function referTo(namespace: string): Promise<void> {
    const { cluster, vault, ca } = scene
    await cluster.must('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name: 'ca' },
      data: { 'ca.crt': ca.pem },
    })
    await cluster.must('POST', `/api/v1/namespaces/${namespace}/secrets`, {
      metadata: { name: 'entra' },
      stringData: { secret: vault.identity('akv-issuer').clientSecret },
    })
  }

  /** Changes a request while Key Vault signs for it. */
  async function meetConflict(name: string): Promise<void> {
    const { cluster, vault, controller } = scene
    await vault.admin('PUT', '/latency', { 'keys/sign': 2_000 })
    await cluster.must('POST', certificatesIn(team), certificate(name))
    await until('the signature under way', () =>
      logLines(controller).some((line) => at(line, 'request') === `${name}-1`),
    )
    await cluster.must('PATCH', `${requestsIn(team)}/${name}-1`, {
      metadata: { annotations: { 'example.com/seen-by': 'somebody' } },
    })
    await vault.admin('PUT', '/latency', {})
    await scene.ready(`${certificatesIn(team)}/${name}`)
  }
})

function isApproval({ requestObject }: AuditEvent): boolean {
  return at(conditionOf(requestObject, 'Approved'), 'status') === 'True'
}

function may(verb: string, resource: string, more: Readonly<Record<string, string>> = {}) {
  const what = `may ${verb} ${resource}${where(more)}`
  return { may: true, what, attributes: { verb, resource, ...more } }
}

function mayNot(verb: string, resource: string, more: Readonly<Record<string, string>> = {}) {
  const what = `may not ${verb} ${resource}${where(more)}`
  return { may: false, what, attributes: { verb, resource, ...more } }
}

function where(attributes: Readonly<Record<string, string>>): string {
  const words = Object.entries(attributes).map(([key, value]) => `${key} ${value}`)
  return words.length === 0 ? '' : ` (${words.join(', ')})`
}
