// Follows the ConfigMaps of namespaces, and tells of its memory: node --expose-gc reflectors.ts
// PORT FOLDER NAMESPACE...
import { systemClock } from '../../../src/clock.ts'
import { openKubeClient } from '../../../src/kube/client.ts'
import { serviceAccountSource } from '../../../src/kube/credentials.ts'
import { Reflector } from '../../../src/kube/reflector.ts'
import { silentLog } from '../../../src/log.ts'
import { systemRandom } from '../../../src/random.ts'
import { Mirror, parseSeen } from '../../relay/mirror.ts'

const [port = '', folder = '', ...namespaces] = process.argv.slice(2)
const seams = { clock: systemClock, random: systemRandom, log: silentLog }
const source = serviceAccountSource('127.0.0.1', port, folder)
const client = await openKubeClient({ source, userAgent: 'memory', ...seams })
const stop = new AbortController()

const followed = namespaces.map((namespace) => {
  const mirror = new Mirror()
  const reflector = new Reflector({
    client,
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    parse: parseSeen,
    onEvent: (event) => mirror.take(event),
    idleTimeoutMs: 3_000,
    listTimeoutMs: 3_000,
    pageSize: 5,
    ...seams,
  })
  return { mirror, reflector, run: reflector.run(stop.signal) }
})

const timer = setInterval(() => {
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  const told = sum(followed.map(({ mirror }) => mirror.told))
  const failures = sum(followed.map(({ reflector }) => reflector.counts.failures))
  const watches = sum(followed.map(({ reflector }) => reflector.counts.watches))
  process.stdout.write(`${JSON.stringify({ rss, heapUsed, external, told, failures, watches })}\n`)
}, 2_000)

process.once('SIGTERM', async () => {
  clearInterval(timer)
  stop.abort()
  await Promise.all(followed.map(({ run }) => run))
  for (const { mirror, reflector } of followed) mirror.assertEquals(reflector.values())
  await client.close()
})

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
