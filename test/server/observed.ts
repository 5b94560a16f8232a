import type { Observed } from '../../src/server/gauges.ts'

/** A replica that leads, and in which nothing waits. */
export const nothing: Observed = {
  leading: () => true,
  waits: () => ({ CertificateRequest: [], CertificateSigningRequest: [] }),
  queues: () => [],
}
