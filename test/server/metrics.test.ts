import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Observed } from '../../src/server/gauges.ts'
import { Metrics } from '../../src/server/metrics.ts'
import { nothing } from './observed.ts'

/** What Prometheus reads of the metrics of a name. */
async function scraped({ registry }: Metrics, name: string): Promise<readonly string[]> {
  return (await registry.getSingleMetricAsString(name))
    .split('\n')
    .filter((line) => !line.startsWith('#'))
}

test('requests that wait are counted by reason at each scrape, and are gone when none waits', async () => {
  let waits: ReturnType<Observed['waits']> = {
    CertificateRequest: [
      { reason: 'IssuerSuspended', count: 3, oldestMs: 61_500 },
      { reason: 'NotApproved', count: 1, oldestMs: 0 },
    ],
    CertificateSigningRequest: [{ reason: 'VaultThrottled', count: 2, oldestMs: 900 }],
  }
  const metrics = new Metrics({ ...nothing, waits: () => waits })
  const gauges = async () => [
    ...(await scraped(metrics, 'akv_issuer_waiting_requests')),
    ...(await scraped(metrics, 'akv_issuer_oldest_request_seconds')),
  ]
  assert.deepEqual(await gauges(), [
    'akv_issuer_waiting_requests{kind="CertificateRequest",reason="IssuerSuspended"} 3',
    'akv_issuer_waiting_requests{kind="CertificateRequest",reason="NotApproved"} 1',
    'akv_issuer_waiting_requests{kind="CertificateSigningRequest",reason="VaultThrottled"} 2',
    'akv_issuer_oldest_request_seconds{kind="CertificateRequest",reason="IssuerSuspended"} 61.5',
    'akv_issuer_oldest_request_seconds{kind="CertificateRequest",reason="NotApproved"} 0',
    'akv_issuer_oldest_request_seconds{kind="CertificateSigningRequest",reason="VaultThrottled"} 0.9',
  ])
  waits = nothing.waits()
  assert.deepEqual(await gauges(), [])
})

test('of each queue: how many keys are in which state', async () => {
  const queue = (name: string, ready: number) => ({
    name,
    counts: { ready, running: 2, retrying: 3, delayed: 4 },
  })
  let queues = [queue('requests', 1), queue('issuers', 0)]
  const metrics = new Metrics({ ...nothing, queues: () => queues })
  const depths = () => scraped(metrics, 'akv_issuer_queue_keys')
  assert.deepEqual(await depths(), [
    'akv_issuer_queue_keys{queue="requests",state="ready"} 1',
    'akv_issuer_queue_keys{queue="requests",state="running"} 2',
    'akv_issuer_queue_keys{queue="requests",state="retrying"} 3',
    'akv_issuer_queue_keys{queue="requests",state="delayed"} 4',
    'akv_issuer_queue_keys{queue="issuers",state="ready"} 0',
    'akv_issuer_queue_keys{queue="issuers",state="running"} 2',
    'akv_issuer_queue_keys{queue="issuers",state="retrying"} 3',
    'akv_issuer_queue_keys{queue="issuers",state="delayed"} 4',
  ])
  queues = [queue('requests', 0)]
  assert.equal((await depths())[0], 'akv_issuer_queue_keys{queue="requests",state="ready"} 0')
})

test('answers are counted by what they say and why, and those that end a wait by how long it was', async () => {
  const metrics = new Metrics(nothing)
  const kind = 'CertificateRequest'
  metrics.answered(kind, { reason: 'Pending', code: 'IssuerSuspended' })
  metrics.answered(kind, { reason: 'Issued', waitedMs: 150 })
  metrics.answered(kind, { reason: 'Issued', waitedMs: 7_200_000 })
  metrics.answered(kind, { reason: 'Denied', waitedMs: undefined })
  metrics.answered('CertificateSigningRequest', {
    reason: 'Failed',
    code: 'PolicyRefused',
    waitedMs: 20,
  })
  assert.deepEqual(await scraped(metrics, 'akv_issuer_answers_total'), [
    'akv_issuer_answers_total{kind="CertificateRequest",reason="Pending",code="IssuerSuspended"} 1',
    'akv_issuer_answers_total{kind="CertificateRequest",reason="Issued",code=""} 2',
    'akv_issuer_answers_total{kind="CertificateRequest",reason="Denied",code=""} 1',
    'akv_issuer_answers_total{kind="CertificateSigningRequest",reason="Failed",code="PolicyRefused"} 1',
  ])
  const seconds = await scraped(metrics, 'akv_issuer_answer_seconds')
  const issued = seconds.filter((line) => line.includes('reason="Issued"'))
  const of = (le: string) =>
    `akv_issuer_answer_seconds_bucket{le="${le}",kind="${kind}",reason="Issued"}`
  assert.deepEqual(issued, [
    ...['0.05', '0.1'].map((le) => `${of(le)} 0`),
    ...['0.2', '0.5', '1', '2', '5', '10', '30', '60', '300', '900', '3600'].map(
      (le) => `${of(le)} 1`,
    ),
    `${of('+Inf')} 2`,
    `akv_issuer_answer_seconds_sum{kind="${kind}",reason="Issued"} 7200.15`,
    `akv_issuer_answer_seconds_count{kind="${kind}",reason="Issued"} 2`,
  ])
  assert.deepEqual(seconds.filter((line) => line.includes('_count')).slice(1), [
    'akv_issuer_answer_seconds_count{kind="CertificateSigningRequest",reason="Failed"} 1',
  ])
})

test('of an issuer: whether it is ready, and when what it gives out expires', async () => {
  const metrics = new Metrics(nothing)
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
