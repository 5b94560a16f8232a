import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { defaultTenantId } from '../src/devvault/dev_vault.ts'
import { at, conditionOf, type Json } from './harness/json.ts'
import type { RunningProcess } from './harness/process.ts'
import { until } from './harness/until.ts'
import { controllerNamespace, startController } from './product/controller.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  startDeliveryScene,
} from './product/delivery_scene.ts'
import { noticesOf, subscribe, webhookOf } from './product/event_grid.ts'
import { callsOfOurs, isAccepted } from './product/our_calls.ts'
import { covers, rightsOf } from './product/rights.ts'
import { issued } from './product/tls_secret.ts'
import { logLines } from './product/told.ts'

const secret = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
const bySecret = { headers: { Authorization: `Bearer ${secret}` } }
const audience = 'api://akv-issuer-webhook'
const board = `/api/v1/namespaces/${controllerNamespace}/configmaps/akv-issuer-notices` as const
const role =
  `/apis/rbac.authorization.k8s.io/v1/namespaces/${controllerNamespace}/roles/akv-issuer-event-grid` as const

/** No poll comes in between: what arrives came by a notice, or with a new leader. */
const flags = ['--certificate-poll-interval=2h', '--event-grid-listen=127.0.0.1:0']
const entraFlags = [
  ...flags,
  `--event-grid-tenant=${defaultTenantId}`,
  `--event-grid-audience=${audience}`,
]

describe('notices of Event Grid', () => {
  let folder: string
  let here: DeliveryScene
  let leader: RunningProcess
  let follower: RunningProcess

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akv-notice-'))
    await writeFile(join(folder, 'secret'), `${secret}\n`)
    const controllerFlags = [...flags, `--event-grid-secret-file=${join(folder, 'secret')}`]
    here = await startDeliveryScene({ audit: true, notices: true, controllerFlags })
    const { cluster, vault, controller } = here.scene
    leader = controller
    follower = await startController(cluster, vault, { name: 'follower', flags: entraFlags })
  })
  after(async () => {
    await here?.scene.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** A Certificate that has the first version of its own Key Vault certificate. */
  async function deliver(name: string): Promise<void> {
    const first = await here.leaves.import(here.scene.vault, name)
    await createDeliverIssuer(here, name)
    await createCertificate(here, name)
    await deliveredSecret(here, name, first)
    await issued(here.scene, here.namespace, name)
  }

  /** From a new version in Key Vault to the Secret, in milliseconds. */
  async function rotate(name: string): Promise<number> {
    const next = await here.leaves.import(here.scene.vault, name)
    const from = performance.now()
    await deliveredSecret(here, name, next, 60_000)
    const ms = performance.now() - from
    await here.scene.object(`${here.path}/${name}`, 'settled', isSettled)
    return ms
  }

  async function sendTo(controller: RunningProcess, init: RequestInit): Promise<Response> {
    const answer = await fetch(webhookOf(controller), { method: 'POST', ...init })
    await answer.text()
    return answer
  }

  const ways = [
    {
      what: 'the follower, in the Event Grid schema, known by a token of version 1.0',
      to: () => follower,
      schema: 'EventGridSchema',
      as: { entra: { audience } },
      counted: { follower: { handshake: 1, handed_on: 4 }, leader: { accepted: 4 } },
    },
    {
      what: 'the follower, in CloudEvents, known by a token of version 2.0',
      to: () => follower,
      schema: 'CloudEventSchemaV1_0',
      as: { entra: { audience, tokenVersion: '2.0' } },
      counted: { follower: { handshake: 1, handed_on: 4 }, leader: { accepted: 4 } },
    },
    {
      what: 'the leader, in CloudEvents, known by a secret',
      to: () => leader,
      schema: 'CloudEventSchemaV1_0',
      as: bySecret,
      counted: { follower: {}, leader: { handshake: 1, accepted: 4 } },
    },
  ] as const
  for (const [index, { what, to, schema, as, counted }] of ways.entries()) {
    test(`to ${what}: the new version is in the Secret at once`, async (t) => {
      const name = `way-${index}`
      await deliver(name)
      const earlier = { follower: await noticesOf(follower), leader: await noticesOf(leader) }
      await subscribe(here.scene.vault, { name: 'akv', endpoint: webhookOf(to()), schema, ...as })
      const ms: number[] = []
      for (let rotation = 0; rotation < 4; rotation++) ms.push(await rotate(name))
      t.diagnostic(`ms ${ms.map(Math.round).join(' ')}`)
      assert.ok(Math.max(...ms) < 10_000, String(ms))
      assert.deepEqual(
        {
          follower: more(earlier.follower, await noticesOf(follower)),
          leader: more(earlier.leader, await noticesOf(leader)),
        },
        counted,
      )
    })
  }

  test('strangers subscribe in vain, and find no way around', async () => {
    const { vault } = here.scene
    const counted = await noticesOf(follower)
    const refused = /the handshake with stranger failed: it answered 401/
    const endpoint = webhookOf(follower)
    for (const as of [{}, { entra: { audience: 'api://other' } }, bySecret]) {
      for (const schema of ['EventGridSchema', 'CloudEventSchemaV1_0'] as const) {
        const subscription = { name: 'stranger', endpoint, schema, ...as }
        await assert.rejects(subscribe(vault, subscription), refused, JSON.stringify(subscription))
      }
    }
    const { status } = await sendTo(follower, { headers: json, body: body(['way-0']) })
    assert.equal(status, 401)
    assert.deepEqual(more(counted, await noticesOf(follower)), { unauthenticated: 7 })
    for (const controller of [leader, follower]) {
      assert.ok(!controller.output().includes(secret), 'the secret is in no log')
      assert.ok(!controller.output().includes('eyJ'), 'no token is in a log')
    }
  })

  test('what nobody wants is accepted, and not looked at', async () => {
    const { vault } = here.scene
    const counted = await noticesOf(leader)
    await here.leaves.import(vault, 'unwanted')
    await until('counted', async () => more(counted, await noticesOf(leader)).unwatched === 1)
    const reads = at(await vault.admin('GET', '/counters'), 'certificates/get', 'contoso/unwanted')
    assert.equal(reads, undefined)
  })

  test('the follower keeps the last notices of 250 certificates and no more', async () => {
    const { cluster } = here.scene
    // The leader takes the secret, so that a replica that knows it must come to follow.
    const helper = await startController(cluster, here.scene.vault, {
      name: 'helper',
      flags: [...flags, `--event-grid-secret-file=${join(folder, 'secret')}`],
    })
    try {
      const names = Array.from({ length: 300 }, (_, index) => `many-${index}`)
      for (let from = 0; from < names.length; from += 100) {
        const headers = { ...json, ...bySecret.headers }
        const batch = body(names.slice(from, from + 100))
        assert.equal((await sendTo(helper, { headers, body: batch })).status, 202)
      }
      const kept = Object.keys(asRecord(at(await cluster.must('GET', board), 'data')))
      assert.equal(kept.length, 250)
      const last = names.slice(-200).map((name) => `contoso.vault.azure.net_${name}`)
      assert.deepEqual(
        last.filter((key) => !kept.includes(key)),
        [],
      )
    } finally {
      await helper.stop()
    }
  })

  test('the leader is killed when a notice has just come: the next one delivers', async (t) => {
    const { vault } = here.scene
    const name = 'orphan'
    await deliver(name)
    const endpoint = webhookOf(follower)
    await subscribe(vault, {
      name: 'akv',
      endpoint,
      schema: 'EventGridSchema',
      entra: { audience },
    })
    const next = await here.leaves.import(vault, name)
    const from = performance.now()
    await until('handed on', () =>
      logLines(follower).some(
        (line) =>
          at(line, 'message') === 'notices of Event Grid handed to the leader' &&
          at(line, 'notices', 0, 'certificate') === name,
      ),
    )
    await leader.kill()
    await deliveredSecret(here, name, next, 60_000)
    t.diagnostic(`${Math.round(performance.now() - from)} ms, the lease of the dead one included`)
    await issued(here.scene, here.namespace, name)
  })

  test('and while nobody leads', async (t) => {
    const { cluster, vault } = here.scene
    const schema = 'EventGridSchema'
    const third = await startController(cluster, vault, { name: 'third', flags: entraFlags })
    await subscribe(vault, { name: 'akv', endpoint: webhookOf(third), schema, entra: { audience } })
    await follower.kill()
    const ms = await rotate('orphan')
    t.diagnostic(`${Math.round(ms)} ms, the lease of the dead one included`)
    await third.stop()
  })

  test('the rights for it are all used, and none is missing', async () => {
    const { cluster } = here.scene
    const calls = callsOfOurs(await cluster.auditEvents()).filter(
      ({ namespace, resource }) => namespace === controllerNamespace && resource === 'configmaps',
    )
    assert.deepEqual(
      calls.filter(({ code }) => code === 401 || code === 403),
      [],
    )
    const unused = rightsOf(await cluster.must('GET', role)).filter(
      (right) =>
        !calls.some((event) => isAccepted(event) && covers(right, event, controllerNamespace)),
    )
    assert.deepEqual(unused, [])
  })
})

const json = { 'content-type': 'application/json' }

/** A delivery of Event Grid about new versions of certificates. */
function body(names: readonly string[]): string {
  const version = '0'.repeat(32)
  return JSON.stringify(
    names.map((name) => ({
      eventType: 'Microsoft.KeyVault.CertificateNewVersionCreated',
      data: { Id: `https://contoso.vault.azure.net/certificates/${name}/${version}` },
    })),
  )
}

/** What was counted since, the unchanged left out. */
function more(
  earlier: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(now).flatMap(([key, count]) => {
      const added = count - (earlier[key] ?? 0)
      return added === 0 ? [] : [[key, added]]
    }),
  )
}

function isSettled(certificate: Json): boolean {
  return at(conditionOf(certificate, 'Issuing'), 'status') !== 'True'
}

function asRecord(value: Json | undefined): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
