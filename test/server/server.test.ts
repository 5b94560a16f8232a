import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../../src/server/metrics.ts'
import { startServer } from '../../src/server/server.ts'
import { nothing } from './observed.ts'

test('probes say how things are at the moment, and metrics are for Prometheus', async () => {
  const state = { healthy: true, ready: false }
  const metrics = new Metrics(nothing)
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
