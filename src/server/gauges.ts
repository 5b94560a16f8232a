import { Gauge, type Registry } from 'prom-client'
import type { Wait } from '../issuance/waits.ts'
import type { WorkQueue } from '../kube/work_queue.ts'

/** The two kinds of objects that are answered. */
export type RequestKind = 'CertificateRequest' | 'CertificateSigningRequest'

/** What is asked for whenever Prometheus asks. */
export interface Observed {
  readonly leading: () => boolean
  readonly waits: () => Readonly<Record<RequestKind, readonly Wait[]>>
  readonly queues: () => readonly Pick<WorkQueue, 'name' | 'counts'>[]
}

/** Gauges that are told at each scrape, of what there is at that moment. */
export function registerGauges(registry: Registry, observed: Observed): void {
  const waits = () =>
    Object.entries(observed.waits()).flatMap(([kind, list]) =>
      list.map(({ reason, count, oldestMs }) => ({ labels: { kind, reason }, count, oldestMs })),
    )
  const gauges = [
    new Gauge({
      name: 'akv_issuer_leader',
      help: '1 in the replica that answers requests.',
      registers: [],
      collect() {
        this.set(observed.leading() ? 1 : 0)
      },
    }),
    new Gauge({
      name: 'akv_issuer_waiting_requests',
      help: 'Requests that wait for our answer, by the reason why they have none.',
      labelNames: ['kind', 'reason'],
      registers: [],
      collect() {
        this.reset()
        for (const { labels, count } of waits()) this.set(labels, count)
      },
    }),
    new Gauge({
      name: 'akv_issuer_oldest_request_seconds',
      help: 'Age of the request that has waited longest for a reason, since its approval, or else its creation.',
      labelNames: ['kind', 'reason'],
      registers: [],
      collect() {
        this.reset()
        for (const { labels, oldestMs } of waits()) this.set(labels, oldestMs / 1000)
      },
    }),
    new Gauge({
      name: 'akv_issuer_queue_keys',
      help: 'Keys of the work queues: ready for their turn, running, retrying after a failure, or delayed.',
      labelNames: ['queue', 'state'],
      registers: [],
      collect() {
        for (const { name: queue, counts } of observed.queues()) {
          for (const [state, count] of Object.entries(counts)) this.set({ queue, state }, count)
        }
      },
    }),
  ]
  for (const gauge of gauges) registry.registerMetric(gauge)
}
