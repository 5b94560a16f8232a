// What watches ask while nothing happens, of a real API server with the product's own limits:
// node e2e/soak/watch_idle.ts (MINUTES=60 for a whole hour)
import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../src/clock.ts'
import { openKubeClient } from '../../src/kube/client.ts'
import { serviceAccountSource } from '../../src/kube/credentials.ts'
import { Reflector } from '../../src/kube/reflector.ts'
import { silentLog } from '../../src/log.ts'
import { systemRandom } from '../../src/random.ts'
import { startCluster } from '../harness/start_cluster.ts'
import { prepareRelays } from '../relay/followed.ts'
import { FaultRelay } from '../relay/relay.ts'

const kinds = ['configmaps', 'secrets', 'services', 'pods', 'endpoints', 'podtemplates']
// One more than the longest that a watch is asked for, so that each ends once.
const minutes = Number(process.env.MINUTES ?? 11)
const idleTimeoutMs = 75_000
const seams = { clock: systemClock, random: systemRandom, log: silentLog }

const cluster = await startCluster({ certManager: false })
try {
  const { serving, token } = await prepareRelays(cluster)
  const { url, caPem } = cluster
  const relay = await FaultRelay.start({ url, caPem, serving })
  const folder = await mkdtemp(join(cluster.dir, 'pod-'))
  await writeFile(join(folder, 'token'), token)
  await writeFile(join(folder, 'ca.crt'), caPem)
  const source = serviceAccountSource('127.0.0.1', String(relay.port), folder)
  const headers: number[] = []
  const client = await openKubeClient({
    source,
    userAgent: 'idle',
    onCall: ({ verb, ms }) => verb === 'watch' && headers.push(ms),
    ...seams,
  })
  const namespace = await cluster.namespace('idle')
  const stop = new AbortController()
  const reflectors = kinds.map((kind) => {
    const path = `/api/v1/namespaces/${namespace}/${kind}`
    return new Reflector({ client, path, parse: () => ({}), ...seams })
  })
  const runs = reflectors.map((reflector) => reflector.run(stop.signal))
  let longestMs = 0
  const end = performance.now() + minutes * 60_000
  while (performance.now() < end) {
    await delay(100)
    longestMs = Math.max(longestMs, ...reflectors.map(({ lastEventAge }) => lastEventAge))
  }
  const counts = reflectors.map((reflector) => reflector.counts)
  stop.abort()
  await Promise.all(runs)
  await client.close()
  await relay.stop()

  const watches = counts.map((count) => count.watches)
  process.stdout.write(
    `${minutes} min, ${kinds.length} kinds: watches ${watches}; longest silence ${Math.round(longestMs)} ms; ` +
      `headers of a watch after ${Math.round(Math.min(...headers))} to ${Math.round(Math.max(...headers))} ms\n`,
  )
  assert.ok(Math.max(...watches) - 1 <= minutes, 'at most one reconnect a minute and kind')
  assert.ok(counts.every(({ lists, failures }) => lists === 1 && failures === 0))
  assert.ok(longestMs < idleTimeoutMs, 'bookmarks come before the idle limit')
} finally {
  await cluster.stop()
}
