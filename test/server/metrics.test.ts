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
