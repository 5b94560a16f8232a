import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../src/clock.ts'
import { type ErrorCode, IssuerError } from '../src/error.ts'
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from '../src/json.ts'
import { type KubeClient, type KubeRequest, openKubeClient } from '../src/kube/client.ts'
import { serviceAccountSource } from '../src/kube/credentials.ts'
import { Reflector, type ReflectorEvent } from '../src/kube/reflector.ts'
import { resourcePath } from '../src/kube/resource_path.ts'
import { silentLog } from '../src/log.ts'
import { systemRandom } from '../src/random.ts'
import { createAuthority } from './harness/authority.ts'
import type { Cluster } from './harness/cluster.ts'
import { startCluster } from './harness/start_cluster.ts'
import { until } from './harness/until.ts'

const seams = { clock: systemClock, random: systemRandom, log: silentLog }
const never = new AbortController().signal

let cluster: Cluster
let client: KubeClient
let directory: string

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'akv-kube-'))
  cluster = await startCluster({ certManager: false, audit: true })
  client = await open(cluster.kubeconfig)
})

after(async () => {
  await client?.close()
  await cluster?.stop()
  await rm(directory, { recursive: true, force: true })
})

function open(kubeconfig: string): Promise<KubeClient> {
  return openKubeClient({ kubeconfig, userAgent: 'kube-layer-test', ...seams })
}

const configMaps = (namespace: string, name?: string) =>
  resourcePath({
    group: '',
    version: 'v1',
    resource: 'configmaps',
    namespace,
    ...(name !== undefined && { name }),
  })

async function createMany(namespace: string, count: number): Promise<void> {
  const bodies = Array.from({ length: count }, (_, i) => ({
    metadata: { name: `m${String(i).padStart(4, '0')}` },
    data: { filler: 'x'.repeat(500) },
  }))
  const path = configMaps(namespace)
  await Promise.all(bodies.map((body) => client.request({ method: 'POST', path, body }, never)))
}

interface Seen {
  readonly name: string
  readonly uid: string
  readonly version: string
}

function parseSeen(object: JsonObject): Seen | undefined {
  const metadata = objectAt(object, 'metadata')
  const name = textAt(metadata, 'name')
  const uid = textAt(metadata, 'uid')
  const version = textAt(metadata, 'resourceVersion')
  return name && uid && version ? { name, uid, version } : undefined
}

function follow(namespace: string, through: KubeClient = client) {
  const events: Array<ReflectorEvent<Seen>> = []
  const stop = new AbortController()
  const reflector = new Reflector({
    client: through,
    path: configMaps(namespace),
    parse: parseSeen,
    onEvent: (event) => events.push(event),
    ...seams,
  })
  const run = reflector.run(stop.signal)
  const end = async () => {
    stop.abort()
    await run
  }
  return { reflector, events, end }
}

async function listed(namespace: string): Promise<Seen[]> {
  const list = await client.request({ method: 'GET', path: configMaps(namespace) }, never)
  assert.ok(isObject(list))
  return objectsAt(list, 'items')
    .map(parseSeen)
    .filter((seen) => seen !== undefined)
}

const sorted = (seen: Iterable<Seen>) => [...seen].sort((a, b) => (a.name < b.name ? -1 : 1))

async function untilEqualToList(reflector: Reflector<Seen>, namespace: string): Promise<void> {
  const expected = sorted(await listed(namespace))
  await until('the copy equals a fresh list', () => {
    const copy = sorted(reflector.values())
    return JSON.stringify(copy) === JSON.stringify(expected)
  })
}

test('2,000 objects are listed in pages and followed through a burst', async () => {
  const namespace = await cluster.namespace('pages')
  await createMany(namespace, 2_000)
  const { reflector, events, end } = follow(namespace)
  await until('a whole list', () => reflector.synced)
  assert.deepEqual([reflector.size, events.length], [2_000, 2_000])
  const lists = (await cluster.auditEvents()).filter(
    ({ verb, uri }) => verb === 'list' && uri.startsWith(configMaps(namespace)),
  )
  assert.equal(lists.length, 4)
  assert.ok(lists.every(({ uri }) => uri.includes('limit=500')))

  const touch = (i: number) =>
    client.request(
      {
        method: 'PATCH',
        path: configMaps(namespace, `m${String(i).padStart(4, '0')}`),
        contentType: 'application/merge-patch+json',
        body: { data: { touched: 'yes' } },
      },
      never,
    )
  await Promise.all(Array.from({ length: 500 }, (_, i) => touch(i)))
  await untilEqualToList(reflector, namespace)
  assert.equal(events.length, 2_500)
  assert.equal(reflector.counts.lists, 1, 'however often the server ended the watch')

  const path = configMaps(namespace, 'm0000')
  const old = reflector.byName(namespace, 'm0000')
  await client.request({ method: 'DELETE', path }, never)
  const body = { metadata: { name: 'm0000' } }
  await client.request({ method: 'POST', path: configMaps(namespace), body }, never)
  await untilEqualToList(reflector, namespace)
  const [deleted, added] = events.slice(2_500)
  assert.deepEqual([deleted?.type, deleted?.object], ['deleted', old])
  assert.deepEqual([added?.type, added?.object], ['added', reflector.byName(namespace, 'm0000')])

  await end()
  await createMany(await cluster.namespace('pages'), 1)
  assert.equal(events.length, 2_502, 'nothing is told after the stop')
})

test('a watch that the server ends is resumed, and nothing is told twice', async () => {
  const namespace = await cluster.namespace('resume')
  const secondLong: KubeClient = {
    server: client.server,
    namespace: client.namespace,
    request: (request, signal) => client.request(request, signal),
    close: () => client.close(),
    watch: (request, signal) =>
      client.watch({ ...request, query: { ...request.query, timeoutSeconds: 1 } }, signal),
  }
  const { reflector, events, end } = follow(namespace, secondLong)
  await until('a whole list', () => reflector.synced)
  for (let i = 0; i < 30; i++) {
    const body = { metadata: { name: `m${i}` } }
    await client.request({ method: 'POST', path: configMaps(namespace), body }, never)
    await delay(100)
  }
  await untilEqualToList(reflector, namespace)
  const { lists, watches, failures } = reflector.counts
  assert.deepEqual([lists, failures, events.length], [1, 0, 30])
  assert.ok(watches >= 3 && watches <= 8, `${watches} watches in 3 s`)
  await end()
})

const refusals: ReadonlyArray<{ name: string; code: ErrorCode; request: KubeRequest }> = [
  {
    name: 'an absent object',
    code: 'KubeNotFound',
    request: { method: 'GET', path: configMaps('default', 'absent') },
  },
  {
    name: 'a name already taken',
    code: 'KubeAlreadyExists',
    request: {
      method: 'POST',
      path: '/api/v1/namespaces',
      body: { metadata: { name: 'default' } },
    },
  },
  {
    name: 'a write over an old version',
    code: 'KubeConflict',
    request: {
      method: 'PUT',
      path: '/api/v1/namespaces/default',
      body: { metadata: { name: 'default', resourceVersion: '1' } },
    },
  },
  {
    name: 'an object against the rules',
    code: 'KubeInvalid',
    request: { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: 'A' } } },
  },
]
for (const { name, code, request } of refusals) {
  test(`${name} is ${code}`, async () => {
    await assert.rejects(client.request(request, never), { code })
  })
}

test('an account without rights is KubeForbidden, and told what it lacks', async () => {
  const account = await cluster.serviceAccount(await cluster.namespace('poor'), 'poor')
  const poor = await open(account.kubeconfig)
  await assert.rejects(poor.request({ method: 'GET', path: configMaps('default') }, never), {
    code: 'KubeForbidden',
    message:
      'list configmaps in namespace "default" failed: 403 Forbidden: configmaps is forbidden: ' +
      `User "${account.user}" cannot list resource "configmaps" in API group "" in the namespace "default"`,
  })
  await poor.close()
})

test('a token and a CA that were replaced are read again', async () => {
  const { hostname, port } = new URL(cluster.url)
  const account = await cluster.serviceAccount(await cluster.namespace('pod'), 'pod')
  const other = await createAuthority(join(directory, 'other'))
  await Promise.all([
    writeFile(join(directory, 'token'), 'expired'),
    writeFile(join(directory, 'ca.crt'), other.caPem),
    writeFile(join(directory, 'namespace'), account.namespace),
  ])
  const source = serviceAccountSource(hostname, port, directory)
  const pod = await openKubeClient({ source, userAgent: 'pod', ...seams })
  assert.equal(pod.namespace, account.namespace)
  const ask = { method: 'GET', path: '/version' } as const

  await assert.rejects(pod.request(ask, never), { code: 'KubeUnavailable' })
  await writeFile(join(directory, 'ca.crt'), cluster.caPem)
  await until('the new CA is trusted', () => codeOf(pod.request(ask, never), 'KubeUnauthorized'))
  await writeFile(join(directory, 'token'), await account.token(cluster.tokenIssuer))
  await until('the new token is used', () => codeOf(pod.request(ask, never), undefined))
  await pod.close()
})

async function codeOf(call: Promise<unknown>, expected: ErrorCode | undefined): Promise<boolean> {
  return await call.then(
    () => expected === undefined,
    (error) => error instanceof IssuerError && error.code === expected,
  )
}
