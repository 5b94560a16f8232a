import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { caCases, leakedKey } from './bad_input/ca_cases.ts'
import type { Case } from './bad_input/case.ts'
import { identityCases } from './bad_input/identity_cases.ts'
import { limitedCases } from './bad_input/limited_cases.ts'
import { vaultCases } from './bad_input/vault_cases.ts'
import { at, conditionOf, type Json } from './harness/json.ts'
import { until } from './harness/until.ts'
import { certificate, clusterIssuer } from './product/manifests.ts'
import { callsOfOurs, countBy, isAccepted } from './product/our_calls.ts'
import {
  certificatesIn,
  clusterIssuers,
  issuersIn,
  requestsIn,
  type Scene,
  startScene,
} from './product/scene.ts'
import { issued } from './product/tls_secret.ts'
import { eventsOn, logLines } from './product/told.ts'

describe('an issuer that cannot work', () => {
  let scene: Scene
  let namespace: string
  let pid: number
  let cases: readonly Case[]
  before(async () => {
    scene = await startScene({
      audit: true,
      controllerFlags: ['--vault-host-suffixes=.vault.azure.net', '--probe-interval=2s'],
    })
    pid = scene.controller.identity.pid
    namespace = await scene.cluster.namespace('bad')
    cases = [...(await vaultCases(scene)), ...(await identityCases(scene)), ...caCases(scene)]
  })
  after(() => scene?.stop())

  /** The same words in condition and Event, once each. */
  const assertTold = async (issuer: Json, { reason, message }: Case) => {
    const ready = conditionOf(issuer, 'Ready')
    assert.deepEqual(
      { reason: at(ready, 'reason'), message: at(ready, 'message') },
      { reason, message },
    )
    const events = await until('an Event', async () => {
      const found = await eventsOn(scene.cluster, issuer)
      return found.length > 0 && found
    })
    assert.deepEqual(events, [{ type: 'Warning', reason, note: message }])
  }

  test('says why, and what to do', async (t) => {
    for (const { name, spec, mend } of cases) {
      const issuer = clusterIssuer(name, scene.vault.url, scene.ca, { ...spec })
      await scene.cluster.must('POST', clusterIssuers, issuer)
      if (mend === undefined) continue
      await scene.cluster.must(
        'POST',
        certificatesIn(namespace),
        certificate(name, { issuer: name }),
      )
    }
    for (const expected of cases) {
      await t.test(expected.name.replaceAll('-', ' '), async () => {
        const issuer = await scene.ready(`${clusterIssuers}/${expected.name}`, 'False')
        await assertTold(issuer, expected)
      })
    }
  })

  test('says it once, however often it is looked at', async () => {
    await until('the issuers were probed again', async () => {
      const counters = await scene.vault.admin('GET', '/counters')
      return Number(at(counters, 'keys/sign', 'contoso/nosuchkey', '404')) >= 4
    })
    const writes = callsOfOurs(await scene.cluster.auditEvents()).filter(
      (event) => event.subresource === 'status' && event.resource === 'clusterissuers',
    )
    const names = new Set(cases.map(({ name }) => name))
    const accepted = writes.filter((event) => isAccepted(event) && names.has(event.name))
    assert.deepEqual(
      countBy(accepted, ({ name }) => name),
      Object.fromEntries([...names].map((name) => [name, 1])),
    )
    const events = await scene.cluster.must('GET', '/apis/events.k8s.io/v1/events')
    assert.ok(!JSON.stringify(events).includes('"series":{'), 'no Event was repeated')
  })

  test('or can sign, but not for a mesh, says so beside being Ready', async (t) => {
    for (const { name, spec, reason, message } of await limitedCases(scene)) {
      await t.test(name.replaceAll('-', ' '), async () => {
        const issuer = clusterIssuer(name, scene.vault.url, scene.ca, { ...spec })
        await scene.cluster.must('POST', clusterIssuers, issuer)
        const made = await scene.ready(`${clusterIssuers}/${name}`)
        const limited = conditionOf(made, 'CALimited')
        assert.deepEqual(
          { status: at(limited, 'status'), message: at(limited, 'message') },
          { status: 'True', message },
        )
        const events = await until('an Event about it', async () => {
          const found = await eventsOn(scene.cluster, made)
          return found.some((event) => event.reason === reason) && found
        })
        assert.deepEqual(
          events.filter(({ type }) => type === 'Warning'),
          [{ type: 'Warning', reason, note: message }],
        )
        const line = logLines(scene.controller).find(
          (one) => at(one, 'issuer') === `ClusterIssuer/${name}` && at(one, 'reason') === reason,
        )
        assert.equal(at(line, 'detail'), message)
      })
    }
  })

  test('keeps a private key to itself that was put into its spec', async () => {
    const issuer = await scene.cluster.must('GET', `${clusterIssuers}/private-key`)
    const events = await scene.cluster.must('GET', '/apis/events.k8s.io/v1/events')
    const lines = leakedKey.split('\n').filter((line) => line !== '' && !line.includes('-----'))
    const told = [
      JSON.stringify(at(issuer, 'status')),
      JSON.stringify(events),
      scene.controller.output(),
    ]
    for (const line of lines) assert.ok(!told.some((text) => text.includes(line)))
  })

  test('makes its requests wait, and answers them when the cause is mended', async (t) => {
    for (const { name, message, mend } of cases) {
      if (mend === undefined) continue
      await t.test(name.replaceAll('-', ' '), async () => {
        const request = await scene.ready(`${requestsIn(namespace)}/${name}-1`, 'False', 'Pending')
        assert.equal(
          at(conditionOf(request, 'Ready'), 'message'),
          `ClusterIssuer "${name}" is not ready: ${message}`,
        )
        await mend()
        await scene.ready(`${clusterIssuers}/${name}`)
        await issued(scene, namespace, name)
      })
    }
  })

  test('of one namespace has no right beyond it by itself', async (t) => {
    const { tenantId } = scene.vault
    const { clientId } = scene.vault.identity('akv-issuer')
    const secretRef = { name: 'entra', key: 'value' }
    const both: readonly Case[] = [
      {
        name: 'ambient',
        spec: { identity: { workload: {} } },
        reason: 'IdentityRefused',
        message:
          "spec.identity.workload is the controller's own identity, which Issuers may not use here — " +
          'name an identity of your own, as by workload.serviceAccountRef, or have the operator of ' +
          'the controller set --issuer-ambient-identity',
      },
      {
        name: 'unreadable',
        spec: { identity: { clientSecret: { tenantId, clientId, secretRef } } },
        reason: 'KubeForbidden',
        message:
          `the controller may not read Secret "entra" in namespace "${namespace}" — bind ClusterRole ` +
          'akv-issuer-issuer-references there to its ServiceAccount, by a RoleBinding',
      },
    ]
    for (const expected of both) {
      await t.test(expected.name, async () => {
        const issuer = clusterIssuer(expected.name, scene.vault.url, scene.ca, { ...expected.spec })
        const path = issuersIn(namespace)
        await scene.cluster.must('POST', path, { ...issuer, kind: 'Issuer' })
        await assertTold(await scene.ready(`${path}/${expected.name}`, 'False'), expected)
      })
    }
  })

  test('does not harm the controller', () => {
    assert.equal(scene.controller.exit, undefined)
    assert.equal(scene.controller.identity.pid, pid)
    assert.doesNotMatch(scene.controller.output(), /"Internal"|internal error/)
  })
})
