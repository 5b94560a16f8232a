import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Clock, systemClock } from '../src/clock.ts'
import { IssuerError } from '../src/error.ts'
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from '../src/json.ts'
import { type KubeClient, openKubeClient } from '../src/kube/client.ts'
import { EventRecorder } from '../src/kube/events.ts'
import { LeaseElection } from '../src/kube/lease.ts'
import { resourcePath } from '../src/kube/resource_path.ts'
import { silentLog } from '../src/log.ts'
import { systemRandom } from '../src/random.ts'
import type { Cluster } from './harness/cluster.ts'
import { startCluster } from './harness/start_cluster.ts'
import { until } from './harness/until.ts'

const seams = { clock: systemClock, random: systemRandom, log: silentLog }
const never = new AbortController().signal

let cluster: Cluster
let client: KubeClient

before(async () => {
  cluster = await startCluster({ certManager: false, audit: true })
  client = await openKubeClient({
    kubeconfig: cluster.kubeconfig,
    userAgent: 'kube-lease-test',
    ...seams,
  })
})

after(async () => {
  await client?.close()
  await cluster?.stop()
})

interface CandidateOptions {
  readonly clock?: Clock
  readonly client?: KubeClient
  /** A fifth of the usual times. */
  readonly fast?: boolean
}

function skewed(byMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + byMs }
}

function candidate(name: string, options: CandidateOptions) {
  const stop = new AbortController()
  const led: { from?: number; until?: number } = {}
  const election = new LeaseElection({
    ...seams,
    client: options.client ?? client,
    namespace: 'default',
    name,
    clock: options.clock ?? systemClock,
    ...(options.fast && { leaseMs: 3_000, renewDeadlineMs: 2_000, renewEveryMs: 400, pollMs: 200 }),
  })
  const ended = election
    .run(stop.signal, async (signal) => {
      led.from = performance.now()
      await delay(1e6, undefined, { signal }).catch(() => undefined)
      led.until = performance.now()
    })
    .then(
      () => undefined,
      (error: unknown) => error,
    )
  return { election, led, stop, ended }
}

test('a leader that stops is followed within 3 s, whatever the clocks say', async () => {
  const first = candidate('handover', { clock: skewed(600_000) })
  await until('the first leads', () => first.led.from)
  const second = candidate('handover', { clock: skewed(-600_000) })
  await delay(2_500)
  assert.equal(second.led.from, undefined)
  first.election.assertHeld()
  assert.throws(() => second.election.assertHeld(), { code: 'LeaseLost' })

  const stopped = performance.now()
  first.stop.abort()
  assert.equal(await first.ended, undefined)
  assert.throws(() => first.election.assertHeld(), { code: 'LeaseLost' })
  const from = await until('the second leads', () => second.led.from)
  assert.ok(from - stopped < 3_000, `${from - stopped} ms`)
  second.stop.abort()
  await second.ended
})

test('a leader cut off from the server gives up before another leads', async () => {
  let cut = false
  const cable: KubeClient = {
    server: client.server,
    namespace: client.namespace,
    watch: (request, signal) => client.watch(request, signal),
    close: () => client.close(),
    request: async (request, signal) => {
      if (cut) throw new IssuerError('KubeUnavailable', 'the cable is cut')
      return await client.request(request, signal)
    },
  }
  const first = candidate('cut', { client: cable, fast: true })
  await until('the first leads', () => first.led.from)
  const second = candidate('cut', { fast: true })
  await delay(1_000)
  cut = true
  const cutAt = performance.now()
  const lost = await first.ended
  assert.ok(lost instanceof IssuerError && lost.code === 'LeaseLost', String(lost))
  const from = await until('the second leads', () => second.led.from)
  assert.ok(first.led.until !== undefined && first.led.until < from)
  assert.ok(from - cutAt < 3_500, `${from - cutAt} ms`)
  second.stop.abort()
  await second.ended
})

test('after a pause longer than the lease nothing passes, before any timer has run', async () => {
  let pausedMs = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + pausedMs }
  const paused = candidate('pause', { clock, fast: true })
  await until('it leads', () => paused.led.from)
  paused.election.assertHeld()
  pausedMs = 3_000
  assert.throws(() => paused.election.assertHeld(), { code: 'LeaseLost' })
  const lost = await paused.ended
  assert.ok(lost instanceof IssuerError && lost.code === 'LeaseLost', String(lost))
})

test('a Lease that is deleted or held by nobody known is dealt with', async () => {
  const path = resourcePath({
    group: 'coordination.k8s.io',
    version: 'v1',
    resource: 'leases',
    namespace: 'default',
    name: 'deleted',
  })
  const leader = candidate('deleted', { fast: true })
  await until('it leads', () => leader.led.from)
  await client.request({ method: 'DELETE', path }, never)
  await until('the lease is made again', async () => {
    const lease = await client.request({ method: 'GET', path }, never)
    const spec = isObject(lease) ? objectAt(lease, 'spec') : undefined
    return textAt(spec, 'holderIdentity') === leader.election.identity
  })
  assert.equal(leader.led.until, undefined, 'it led on')
  const body = { spec: { holderIdentity: 'somebody', leaseDurationSeconds: 1 } }
  const contentType = 'application/merge-patch+json'
  await client.request({ method: 'PATCH', path, contentType, body }, never)
  const lost = await leader.ended
  assert.ok(lost instanceof IssuerError && lost.code === 'LeaseLost', String(lost))
  assert.match(lost.message, /"somebody" holds it now/)
})

async function eventsOf(namespace: string, uid: string): Promise<readonly JsonObject[]> {
  const path = resourcePath({
    group: 'events.k8s.io',
    version: 'v1',
    resource: 'events',
    namespace,
  })
  const list = await client.request({ method: 'GET', path }, never)
  assert.ok(isObject(list))
  return objectsAt(list, 'items').filter(
    (event) => textAt(objectAt(event, 'regarding'), 'uid') === uid,
  )
}

test('events are written once an outcome, also by the process after', async () => {
  const namespace = await cluster.namespace('events')
  const reporter = { reportingController: 'test.example/akv', reportingInstance: 'test-1' }
  const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'web', uid: 'uid-1' }
  const waiting = {
    regarding,
    type: 'Warning',
    reason: 'Waiting',
    note: 'ä'.repeat(2_000),
  } as const
  for (let process = 0; process < 2; process++) {
    const recorder = new EventRecorder({ client, ...reporter, ...seams })
    for (let i = 0; i < 20; i++) recorder.record(waiting)
    recorder.record({ ...waiting, note: 'something else' })
    const { namespace: _, ...node } = { ...regarding, kind: 'Node', uid: 'uid-2' }
    recorder.record({ ...waiting, regarding: node })
    await recorder.flush()
  }
  const found = await eventsOf(namespace, 'uid-1')
  assert.deepEqual(found.map((event) => textAt(event, 'note')).sort(), [
    'something else',
    `${'ä'.repeat(510)}…`,
  ])
  const [event] = found
  assert.deepEqual(
    ['reportingController', 'reportingInstance', 'type', 'reason', 'action'].map((key) =>
      textAt(event, key),
    ),
    ['test.example/akv', 'test-1', 'Warning', 'Waiting', 'Waiting'],
  )
  assert.equal((await eventsOf('default', 'uid-2')).length, 1)
  // The API server itself writes Events, too.
  const writes = (await cluster.auditEvents()).filter(
    ({ user, verb, resource, code }) =>
      user === 'admin' && verb === 'create' && resource === 'events' && code === 201,
  )
  assert.equal(writes.length, 3, JSON.stringify(writes, null, 2))
})
