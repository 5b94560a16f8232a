import assert from 'node:assert/strict'
import { createPrivateKey, sign } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createAuthority } from './harness/authority.ts'
import type { Cluster } from './harness/cluster.ts'
import { at, type Json, parseJson } from './harness/json.ts'
import { startCluster } from './harness/start_cluster.ts'
import { until } from './harness/until.ts'
import { answer, anyOf, expired, latePages, once, swallowed } from './relay/faults.ts'
import { Followed, prepareRelays, type RelayGround } from './relay/followed.ts'
import { assertRecovers } from './relay/recovery.ts'
import { Writer } from './relay/writer.ts'

/** What is older than two of these is gone from etcd. */
const compactionMs = 1_000
/** What is older than this, from the snapshots in the API server's memory too. */
const forgottenMs = 8_000

let cluster: Cluster
let ground: RelayGround

before(async () => {
  const apiServerArgs = [`--etcd-compaction-interval=${compactionMs}ms`]
  cluster = await startCluster({ certManager: false, apiServerArgs })
  ground = await prepareRelays(cluster)
})
after(() => cluster?.stop())

/** With writes going on, some of which it has told of. */
async function follow(t: TestContext, token = ground.token): Promise<[Followed, Writer]> {
  const followed = await Followed.start({ ...ground, token }, { pageSize: 5 })
  const writer = new Writer(cluster, followed.namespace)
  t.after(async () => {
    await writer.stop()
    await followed.stop()
  })
  await until('the first events', () => followed.mirror.told > 5)
  return [followed, writer]
}

test('a restart of the API server', async (t) => {
  const [followed, writer] = await follow(t)
  const server = cluster.process('kube-apiserver')
  await server.kill()
  await delay(3_000)
  await server.start()
  await assertRecovers(t, followed, writer, { fails: true })
})

test('a watch resumed at a version that the server has forgotten', async (t) => {
  const [followed, writer] = await follow(t)
  const { relay, reflector } = followed
  relay.fault = swallowed('watch')
  for (const watch of relay.watches) watch.end()
  const { lists } = reflector.counts
  await delay(3 * compactionMs)
  // Without a restart the server would have the versions in its memory.
  await cluster.process('kube-apiserver').restart()
  assert.equal(reflector.counts.lists, lists)
  relay.fault = undefined
  await assertRecovers(t, followed, writer, { fails: true })
  assert.ok(reflector.counts.lists > lists, 'the server refused the version')
})

describe('on a server that stays', { concurrency: true }, () => {
  test('a list whose further pages come after a compaction', async (t) => {
    const [followed, writer] = await follow(t)
    const { relay } = followed
    await refusePage(followed)
    relay.fault = undefined
    await assertRecovers(t, followed, writer, { fails: true })
  })

  test('a token that expires before there is a new one', async (t) => {
    // The API server grants a minute more than the token says, and remembers a good one for 10 s.
    const token = await expiring(ground.token, Date.now() / 1_000 - 55)
    const [followed, writer] = await follow(t, token)
    const { relay, reflector, folder } = followed
    await until('the token is refused', async () => !(await isAuthenticated(token)))
    for (const watch of relay.watches) watch.end()
    await until('the client is refused', () => reflector.counts.failures > 2)
    await writeFile(join(folder, 'token'), await ground.newToken())
    await assertRecovers(t, followed, writer, { fails: true })
  })

  test('a CA that is replaced before we have the new one', async (t) => {
    const [followed, writer] = await follow(t)
    const { relay, folder } = followed
    const other = await createAuthority(join(folder, 'other'))
    const names = 'IP:127.0.0.1'
    relay.present(await other.issue('relay', { subject: '/CN=r', usage: 'serverAuth', names }))
    await delay(2_000)
    await writeFile(join(folder, 'ca.crt'), other.caPem)
    await assertRecovers(t, followed, writer, { fails: true })
  })
})

/** Has the server forget the version of a list between its pages. */
async function refusePage(followed: Followed): Promise<void> {
  const { relay, reflector } = followed
  const earlier = reflector.counts
  relay.fault = anyOf(once(answer('watch', 410, expired)), latePages(forgottenMs))
  for (const watch of relay.watches) watch.end()
  const outcome = await until('the watch is refused, and then a page, or the list is whole', () => {
    const { failures, watches } = reflector.counts
    if (failures >= earlier.failures + 2) return 'refused'
    return watches >= earlier.watches + 2 && 'whole'
  })
  // The server compacts by a timer of its own: a slow list may still be in time.
  if (outcome === 'whole') await refusePage(followed)
}

/** The same token with another end, in seconds since the epoch, signed anew by the cluster's key. */
async function expiring(token: string, exp: number): Promise<string> {
  const [header = '', payload = ''] = token.split('.')
  const claims = parseJson(Buffer.from(payload, 'base64url').toString())
  const begin = Math.floor(exp) - 3_600
  const changed = { ...objectOf(claims), exp: Math.floor(exp), iat: begin, nbf: begin }
  const signed = `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}`
  const key = createPrivateKey(await readFile(join(cluster.dir, 'pki', 'service-accounts.key')))
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

async function isAuthenticated(token: string): Promise<boolean> {
  const review = await cluster.must('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
    spec: { token },
  })
  return at(review, 'status', 'authenticated') === true
}

function objectOf(value: Json): object {
  return typeof value === 'object' && value !== null ? value : {}
}
