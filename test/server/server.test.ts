import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../../src/server/metrics.ts'
import { startServer } from '../../src/server/server.ts'

const gauges = { openRequests: () => 0, leading: () => true }

test('probes say how things are at the moment, and metrics are for Prometheus', async () => {
  const state = { healthy: true, ready: false }
  const metrics = new Metrics(gauges)
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    registry: metrics.registry,
    healthy: () => state.healthy,
    ready: () => state.ready,
  })
  const statusOf = async (path: string) => (await fetch(server.url + path)).status
  try {
    assert.deepEqual([await statusOf('/livez'), await statusOf('/readyz')], [200, 503])
    Object.assign(state, { healthy: false, ready: true })
    assert.deepEqual([await statusOf('/livez'), await statusOf('/readyz')], [503, 200])
    const answer = await fetch(`${server.url}/metrics`)
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/)
    assert.match(await answer.text(), /^akv_issuer_leader 1$/m)
    assert.equal(await statusOf('/'), 404)
  } finally {
    await server.close()
  }
})

test('of an issuer: whether it is ready, and when what it gives out expires', async () => {
  const metrics = new Metrics(gauges)
  const name = 'ClusterIssuer/shop'
  const about = async () => {
    const lines = (await metrics.registry.metrics()).split('\n')
    return lines.filter((line) => line.includes(name))
  }
  const at = (certificate: string, notAfter: number) => ({ certificate, notAfter })
  metrics.issuer(name, { ready: true, expiries: [at('a', 5_000), at('b', 7_000)] })
  assert.deepEqual(await about(), [
    'akv_issuer_issuer_ready{issuer="ClusterIssuer/shop"} 1',
    'akv_issuer_not_after_timestamp_seconds{issuer="ClusterIssuer/shop",certificate="a"} 5',
    'akv_issuer_not_after_timestamp_seconds{issuer="ClusterIssuer/shop",certificate="b"} 7',
  ])
  metrics.issuer(name, { ready: false, expiries: [] })
  assert.equal((await about()).length, 3, 'what expires goes on expiring')
  metrics.issuer(name, { ready: true, expiries: [at('b', 9_000)] })
  assert.deepEqual(await about(), [
    'akv_issuer_issuer_ready{issuer="ClusterIssuer/shop"} 1',
    'akv_issuer_not_after_timestamp_seconds{issuer="ClusterIssuer/shop",certificate="b"} 9',
  ])
  metrics.issuer(name, undefined)
  assert.deepEqual(await about(), [])
})
