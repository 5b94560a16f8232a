import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../src/clock.ts'
import { openKubeClient } from '../src/kube/client.ts'
import { LeaseElection } from '../src/kube/lease.ts'
import { silentLog } from '../src/log.ts'
import { systemRandom } from '../src/random.ts'
import type { AuditEvent } from './harness/audit.ts'
import { type Json, textAt } from './harness/json.ts'
import type { RunningProcess } from './harness/process.ts'
import { Backlog } from './lease/backlog.ts'
import { leaderAfter, startReplica } from './lease/replica.ts'
import { controllerNamespace } from './product/controller.ts'
import { type Scene, signCallsIn, startScene } from './product/scene.ts'

const seams = { clock: systemClock, random: systemRandom, log: silentLog }
const leaseMs = 15_000
/** Long enough that a process is stopped while calls are on their way. */
const latencyMs = 500

describe('replicas', () => {
  let scene: Scene
  const replicas: RunningProcess[] = []
  const alive = () => replicas.filter(({ exit }) => exit === undefined)
  let leader: RunningProcess

  before(async () => {
    scene = await startScene({ audit: true, latencyMs })
    replicas.push(
      scene.controller,
      // Not behind the machine's own clock: the CA of the scene would be of the future.
      await startReplica(scene, 'ahead', 600_000),
      await startReplica(scene, 'far-ahead', 1_200_000),
    )
    leader = await leaderAfter(scene.cluster, replicas, undefined)
  })
  after(() => scene?.stop())

  test('three with clocks ten minutes apart: one leads, and goes on leading', async () => {
    await delay(3_000)
    assert.equal(await leaderAfter(scene.cluster, replicas, undefined), leader)
    assert.equal(replicas.filter((each) => each.output().includes('"leading"')).length, 1)
  })

  test('a leader ended by SIGTERM is followed within 3 s', async (t) => {
    const ended = performance.now()
    leader.signal('SIGTERM')
    const next = await leaderAfter(scene.cluster, replicas, leader)
    const tookMs = performance.now() - ended
    t.diagnostic(`followed after ${Math.round(tookMs)} ms`)
    assert.ok(tookMs <= 3_000, `${tookMs} ms`)
    assert.deepEqual(await leader.ended(), { code: 0, signal: null })
    leader = next
  })

  test('a leader killed in the middle of its work is followed within the lease', async (t) => {
    const backlog = await Backlog.build(scene, 30)
    await backlog.open(leader)
    const killed = performance.now()
    await leader.kill()
    const next = await leaderAfter(scene.cluster, replicas, leader)
    const tookMs = performance.now() - killed
    t.diagnostic(`followed after ${Math.round(tookMs)} ms`)
    assert.ok(tookMs <= leaseMs, `${tookMs} ms`)
    leader = next
    await backlog.untilIssued(60_000)
    await assertAnsweredOnce(backlog)
    assert.deepEqual(alive(), [leader])
  })

  describe('a leader stopped for longer than the lease', () => {
    let callsBefore: Json
    let callsAfter: Json

    test('writes nothing when it goes on, and ends', async (t) => {
      const backlog = await Backlog.build(scene, 30)
      // Somebody who does nothing, so that all that is done is the stopped leader's.
      const idler = await idleLeader(scene)
      t.after(() => idler.end())
      await backlog.open(leader)
      leader.pause()
      const stopped = performance.now()
      await idler.leads
      const tookMs = performance.now() - stopped
      t.diagnostic(`followed after ${Math.round(tookMs)} ms`)
      assert.ok(tookMs <= leaseMs, `${tookMs} ms`)

      callsBefore = await scene.vault.admin('GET', '/counters')
      const resumed = new Date().toISOString()
      leader.resume()
      assert.equal((await leader.ended()).code, 1)
      assert.match(leader.output(), /"LeaseLost"/)
      await delay(latencyMs + 500)
      callsAfter = await scene.vault.admin('GET', '/counters')
      const writes = (await scene.cluster.auditEvents()).filter(
        (event) => isWriteOfOurs(event) && event.received >= resumed,
      )
      assert.deepEqual(writes, [])

      await idler.end()
      const next = await startReplica(scene, 'again', 0)
      replicas.push(next)
      leader = await leaderAfter(scene.cluster, replicas, leader)
      assert.equal(leader, next)
      await backlog.untilIssued(60_000)
      await assertAnsweredOnce(backlog)
    })

    // Calls that wait for their turn or their connection must not go out. The one between the look at
    // the lease and its first octet in the instant of the stop cannot be held, and there is only one:
    // nothing else of the process runs in between.
    test('does not call the vault, but for one call that was about to leave', () => {
      const more = signaturesIn(callsAfter) - signaturesIn(callsBefore)
      const message = JSON.stringify([callsBefore, callsAfter], null, 2)
      assert.ok(more === 0 || more === 1, message)
      assert.deepEqual(withoutSignatures(callsAfter), withoutSignatures(callsBefore), message)
    })
  })

  test('an API server away for longer than the lease: the leader gives up, work goes on after', async (t) => {
    const standby = await startReplica(scene, 'standby', 0)
    replicas.push(standby)
    const backlog = await Backlog.build(scene, 30)
    const server = scene.cluster.process('kube-apiserver')
    await backlog.open(leader)
    const away = performance.now()
    await server.kill()
    assert.equal((await leader.ended()).code, 1)
    const gaveUpMs = performance.now() - away
    t.diagnostic(`gave up after ${Math.round(gaveUpMs)} ms`)
    assert.ok(gaveUpMs < leaseMs, `${gaveUpMs} ms`)
    assert.match(leader.output(), /"LeaseLost"/)
    const signatures = await scene.signatures()
    await delay(Math.max(0, leaseMs + 1_000 - gaveUpMs))
    assert.equal(await scene.signatures(), signatures)

    await server.start()
    assert.equal(await leaderAfter(scene.cluster, replicas, leader), standby)
    leader = standby
    await backlog.untilIssued(60_000)
    await assertAnsweredOnce(backlog)
  })
})

/** Calls of keys/sign that the vault has counted. */
function signaturesIn(counters: Json): number {
  return [...signCallsIn(counters).values()].reduce((sum, count) => sum + count, 0)
}

function withoutSignatures(counters: Json): Json {
  return { ...Object(counters), 'keys/sign': null }
}

async function assertAnsweredOnce(backlog: Backlog): Promise<void> {
  const names = (await backlog.requests()).map((request) => textAt(request, 'metadata', 'name'))
  const once = names.map((name) => [name, 1])
  assert.deepEqual([...(await backlog.answers())].sort(), once.sort())
}

function isWriteOfOurs({ user, verb }: AuditEvent): boolean {
  const isOurs = user === `system:serviceaccount:${controllerNamespace}:akv-issuer`
  return isOurs && !['get', 'list', 'watch'].includes(verb)
}

/** Takes the lease as soon as it is free, as an administrator; holds it until `end`. */
async function idleLeader({ cluster }: Scene) {
  const { kubeconfig } = cluster
  const client = await openKubeClient({ kubeconfig, userAgent: 'idle leader', ...seams })
  const election = new LeaseElection({
    client,
    namespace: controllerNamespace,
    name: 'akv-issuer',
    ...seams,
  })
  const stop = new AbortController()
  const begun = Promise.withResolvers<void>()
  const running = election.run(stop.signal, async (signal) => {
    begun.resolve()
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  })
  const end = async () => {
    stop.abort()
    await running.catch(() => undefined)
    await client.close()
  }
  return { leads: begun.promise, end }
}
