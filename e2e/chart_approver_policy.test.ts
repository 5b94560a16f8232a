import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { dnsName, makeCsr, subjectAltName } from '../test/pki/make_csr.ts'
import type { ApiPath } from './harness/cluster.ts'
import { at, conditionOf, type Json, listAt, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import {
  approverPolicies,
  letCertManagerUse,
  startApproverPolicy,
  untilUsable,
} from './product/approver_policy.ts'
import { installChart } from './product/chart.ts'
import { type CertificateOptions, certificate, ourGroup } from './product/manifests.ts'
import { approved, certificateRequest, isTouchedByUs, postRequest } from './product/requests.ts'
import {
  certificatesIn,
  clusterIssuers,
  requestsIn,
  type Scene,
  startScene,
} from './product/scene.ts'
import { issued } from './product/tls_secret.ts'
import { eventsOn } from './product/told.ts'
import { createRequester, grant } from './product/users.ts'
import { Tutorial } from './tutorial/tutorial.ts'

process.env.INSTALL = 'chart'

const issuer: ApiPath = `${clusterIssuers}/akv-issuer`
const usages = ['digital signature', 'key encipherment']
const forbiddenName = { dnsNames: ['shop.example.com'] }
const refusedName =
  /\[team-a: spec\.allowed\.dnsNames\.values: Invalid value: \["shop\.example\.com"\]: \*\.team-a\.example\.com\]$/

/** What breaks policy `team-a` of docs/tenancy.md, and what it says to that. */
const violations: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
  ['a name of somebody else', forbiddenName, refusedName],
  ['a CA', { isCA: true }, /spec\.allowed\.isCA: Invalid value: true: nil/],
  [
    'ten years',
    { duration: '87600h' },
    /spec\.constraints\.maxDuration: Invalid value: "87600h0m0s": 2160h0m0s/,
  ],
  [
    'no duration',
    { duration: undefined },
    /spec\.constraints\.maxDuration: Invalid value: "nil": 2160h0m0s/,
  ],
]

describe('with approver-policy in place of the approver of cert-manager', () => {
  let scene: Scene
  let tutorial: Tutorial
  before(async () => {
    scene = await startScene({
      certManagerArgs: ['--controllers=*,-ingress-shim,-certificaterequests-approver'],
      spec: { answerUngrouped: true },
    })
    const { cluster } = scene
    for (const name of ['team-a', 'team-b']) {
      await cluster.must('POST', '/api/v1/namespaces', { metadata: { name } })
    }
    await installChart(cluster, { approver: { enabled: false } })
    await startApproverPolicy(cluster)
    // The harness and the lines above did what they say.
    const cannotRun = ['helm ']
    tutorial = new Tutorial(cluster, 'docs/tenancy.md', { replace: new Map(), cannotRun })
  })
  after(() => scene?.stop())

  /** By default for a name that policy `team-a` allows. */
  const createCertificate = async (
    name: string,
    options: CertificateOptions & { readonly namespace?: string } = {},
  ): Promise<ApiPath> => {
    const namespace = options.namespace ?? 'team-a'
    const spec = { dnsNames: [`${name}.team-a.example.com`], duration: '24h', ...options.spec }
    const object = certificate(name, { ...options, spec })
    await scene.cluster.must('POST', certificatesIn(namespace), object)
    return `${requestsIn(namespace)}/${name}-1`
  }

  /** Once approver-policy has said that no policy applies to it, with what its status has. */
  const passedOver = async (path: ApiPath): Promise<Json> => {
    const request = await until('the request', async () => {
      const { code, body } = await scene.cluster.api('GET', path)
      return code === 200 && body
    })
    await until('approver-policy says that no policy applies', async () => {
      const events = await eventsOn(scene.cluster, request, 'policy.cert-manager.io')
      return events.some(({ reason }) => reason === 'Unprocessed')
    })
    return await scene.cluster.must('GET', path)
  }

  const assertNotSigned = async (work: () => Promise<void>) => {
    const signatures = await scene.signatures()
    await work()
    assert.equal(await scene.signatures(), signatures)
  }

  const assertIssued = async (name: string, host: string, namespace = 'team-a') => {
    const { leaf } = await issued(scene, namespace, name)
    assert.equal(leaf.subjectAltName, `DNS:${host}`)
  }

  /** A later request of our own group is answered, and this one shows nothing of ours. */
  const assertUntouched = async (path: ApiPath) => {
    const marker = `after-${path.slice(path.lastIndexOf('/') + 1)}`
    await createCertificate(marker)
    await assertIssued(marker, `${marker}.team-a.example.com`)
    const request = await scene.cluster.must('GET', path)
    assert.ok(!isTouchedByUs(request), scene.evidence(request))
    assert.deepEqual(await eventsOn(scene.cluster, request), [])
  }

  test('a request that its policy allows is approved, and signed', async () => {
    await tutorial.follow('One issuer for all teams')
    await scene.ready(`${approverPolicies}/team-a`)
    await untilUsable(scene.cluster, 'team-a', 'team-a')
    const path = await createCertificate('shop')
    await assertIssued('shop', 'shop.team-a.example.com')
    const approval = conditionOf(await scene.cluster.must('GET', path), 'Approved')
    assert.equal(at(approval, 'message'), 'Approved by CertificateRequestPolicy: "team-a"')
  })

  test('its * stands for dots, too', async () => {
    await createCertificate('deep', { spec: { dnsNames: ['a.b.team-a.example.com'] } })
    await assertIssued('deep', 'a.b.team-a.example.com')
  })

  test('one that breaks it is denied: answered in its words, and not signed', async (t) => {
    await assertNotSigned(async () => {
      for (const [what, spec, words] of violations) {
        await t.test(what, async () => {
          const name = what.replaceAll(' ', '-').toLowerCase()
          const path = await createCertificate(name, { spec })
          const request = await scene.ready(path, 'False', 'Denied')
          const said = textAt(conditionOf(request, 'Denied'), 'message')
          assert.match(said, words)
          assert.match(said, /^No policy approved this request: \[team-a: /)
          const ready = textAt(conditionOf(request, 'Ready'), 'message')
          assert.equal(ready, `denied by an approver: ${said}`)
          assert.ok(isTouchedByUs(request) && textAt(request, 'status', 'failureTime') !== '')
          const told = await scene.object(
            `${certificatesIn('team-a')}/${name}`,
            'Issuing=False',
            (object) => at(conditionOf(object, 'Issuing'), 'status') === 'False',
          )
          assert.ok(textAt(conditionOf(told, 'Issuing'), 'message').endsWith(said))
        })
      }
    })
  })

  test('what no policy applies to waits, and nothing of it reaches the vault', async () => {
    let path: ApiPath = '/'
    await assertNotSigned(async () => {
      path = await createCertificate('waiting', { namespace: 'team-b' })
      const request = await passedOver(path)
      assert.deepEqual(listAt(request, 'status', 'conditions'), [])
    })
    await assertUntouched(path)

    await letCertManagerUse(scene.cluster, 'team-a', 'team-b')
    const selector = { namespace: { matchNames: ['team-a', 'team-b'] } }
    await scene.cluster.must('PATCH', `${approverPolicies}/team-a`, { spec: { selector } })
    await assertIssued('waiting', 'waiting.team-a.example.com', 'team-b')
  })

  test('who says that cert-manager made the request may use no more policies for that', async () => {
    const { cluster } = scene
    const user = await createRequester(cluster, 'team-a')
    const claimed = {
      username: 'system:serviceaccount:cert-manager:cert-manager',
      groups: ['system:serviceaccounts', 'system:masters'],
      duration: '24h',
      usages,
    }
    const csr = makeCsr({ extensions: [subjectAltName(dnsName('mine.team-a.example.com'))] })
    const request = certificateRequest('mine', csr, { spec: claimed })
    const path = await postRequest(scene, 'team-a', request, user)
    const seen = await passedOver(path)
    assert.equal(at(seen, 'spec', 'username'), user)
    assert.ok(!listAt(seen, 'spec', 'groups').includes('system:masters'), scene.evidence(seen))
    await assertUntouched(path)
  })

  test('nobody approves a request of their own without the right for its signer', async () => {
    const { cluster } = scene
    const user = 'requester-of-team-a'
    const path = `${requestsIn('team-a')}/mine` as const
    const approve = async () => {
      const status = { conditions: [{ ...approved, status: 'True' }] }
      return await cluster.api('PATCH', `${path}/status`, { status }, { as: user })
    }
    assert.match(textAt((await approve()).body, 'message'), /cannot patch resource/)
    const rule = {
      apiGroups: ['cert-manager.io'],
      resources: ['certificaterequests/status'],
      verbs: ['patch'],
    }
    await grant(cluster, 'team-a', 'status', [rule], { kind: 'User', name: user })
    assert.match(
      textAt((await approve()).body, 'message'),
      /does not have permissions to set approved\/denied conditions/,
    )
    assert.deepEqual(listAt(await cluster.must('GET', path), 'status', 'conditions'), [])
  })

  test('a reference without the group gets past it by a policy for cert-manager.io', async () => {
    const { cluster } = scene
    await letCertManagerUse(cluster, 'cert-manager-issuers', 'team-a')
    await cluster.must('POST', approverPolicies, {
      apiVersion: 'policy.cert-manager.io/v1alpha1',
      kind: 'CertificateRequestPolicy',
      metadata: { name: 'cert-manager-issuers' },
      spec: {
        selector: { issuerRef: { group: 'cert-manager.io' } },
        allowed: { dnsNames: { values: ['*'] }, usages },
      },
    })
    await scene.ready(`${approverPolicies}/cert-manager-issuers`)
    for (const [name, group] of [
      ['past', undefined],
      ['past-their-group', 'cert-manager.io'],
    ] as const) {
      await createCertificate(name, { group, spec: forbiddenName })
      await assertIssued(name, 'shop.example.com')
    }
  })

  test('not with the policies of the documentation', async () => {
    await tutorial.follow('References without the group')
    for (const name of ['team-a', 'cert-manager-issuers']) {
      await scene.ready(`${approverPolicies}/${name}`)
    }
    await assertNotSigned(async () => {
      for (const [name, group] of [
        ['stopped', undefined],
        ['stopped-their-group', 'cert-manager.io'],
        ['stopped-our-group', ourGroup],
      ] as const) {
        const path = await createCertificate(name, { group, spec: forbiddenName })
        const request = await scene.ready(path, 'False', 'Denied')
        assert.match(textAt(conditionOf(request, 'Denied'), 'message'), refusedName)
        // The others are cert-manager's to answer.
        assert.equal(isTouchedByUs(request), group === ourGroup, scene.evidence(request))
      }
    })
    for (const [name, group] of [
      ['let-through', undefined],
      ['let-through-our-group', ourGroup],
    ] as const) {
      await createCertificate(name, { group })
      await assertIssued(name, `${name}.team-a.example.com`)
    }
  })

  test('nor with answerUngrouped: false, whatever the policies', async () => {
    const { cluster } = scene
    const selector = { issuerRef: { name: null } }
    await cluster.must('PATCH', `${approverPolicies}/cert-manager-issuers`, { spec: { selector } })
    await scene.ready(`${approverPolicies}/cert-manager-issuers`)
    await cluster.must('PATCH', issuer, { spec: { answerUngrouped: false } })
    await scene.ready(issuer)
    await createCertificate('unanswered', { group: undefined, spec: forbiddenName })
    // cert-manager knows of no such issuer.
    const path = `${requestsIn('team-a')}/unanswered-1` as const
    const request = await scene.ready(path, 'False', 'Pending')
    assert.equal(at(conditionOf(request, 'Approved'), 'status'), 'True')
    await assertUntouched(path)
  })

  test("nor past the issuer's own policy, whoever approved", async () => {
    const policy = { dnsNames: ['*.team-a.example.com'] }
    await scene.cluster.must('PATCH', issuer, { spec: { answerUngrouped: true, policy } })
    const refused = await scene.ready(`${requestsIn('team-a')}/unanswered-1`, 'False', 'Failed')
    assert.match(
      textAt(conditionOf(refused, 'Ready'), 'message'),
      /^DNS name "shop\.example\.com" is not allowed \(policy\.dnsNames: \*\.team-a\.example\.com\)/,
    )
    const path = await createCertificate('deeper', {
      spec: { dnsNames: ['a.b.team-a.example.com'] },
    })
    const deeper = await scene.ready(path, 'False', 'Failed')
    assert.match(
      textAt(conditionOf(deeper, 'Ready'), 'message'),
      /^DNS name "a\.b\.team-a\.example\.com" is not allowed/,
    )
  })

  test('the other manifests of the page are those of chart_tenancy', () => {
    assert.deepEqual(
      tutorial.left.map(({ section }) => section),
      ['Who can get what', 'An issuer for each team', 'Suspend'],
    )
  })
})
