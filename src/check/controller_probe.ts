import { issuerErrorFrom } from '../error.ts'
import { type JsonObject, objectAt, objectsAt, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { parseLease } from '../kube/lease_decision.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { failed, ok, skipped, warning } from './finding.ts'
import { readObject, type Seen } from './stored_issuer.ts'

/** Milliseconds that two clocks may be apart before a renewal looks old. */
const clockSkewMs = 60_000
const leaseMs = 15_000

/**
 * Who leads, by the controller's Lease, wherever it is.
 *
 * @returns the namespace of the controller
 */
export async function probeController(
  kube: KubeClient,
  now: number,
  signal: AbortSignal,
): Promise<Seen<string>> {
  const path = resourcePath({ group: 'coordination.k8s.io', version: 'v1', resource: 'leases' })
  try {
    const list = await readObject(kube, path, signal, { fieldSelector: 'metadata.name=akv-issuer' })
    const leases = objectsAt(list, 'items').map((lease) => leaseFinding(lease, now))
    const lease = leases.find(({ finding }) => finding.result === 'ok') ?? leases[0]
    if (lease !== undefined) return { findings: [lease.finding], found: lease.namespace }
    const message =
      'no namespace has a Lease akv-issuer: no controller ever led here, unless one runs with --no-leader-elect'
    return { findings: [warning('controller', message, 'LeaseNotFound')], found: undefined }
  } catch (thrown) {
    const { code, message } = issuerErrorFrom(thrown)
    const finding =
      code === 'KubeForbidden'
        ? skipped('controller', message)
        : failed('controller', code, message)
    return { findings: [finding], found: undefined }
  }
}

function leaseFinding(lease: JsonObject, now: number) {
  const namespace = textAt(objectAt(lease, 'metadata'), 'namespace') ?? ''
  const record = parseLease(lease, leaseMs)
  const renewed = textAt(objectAt(lease, 'spec'), 'renewTime') ?? ''
  const age = now - Date.parse(renewed)
  const what = `Lease akv-issuer in namespace "${namespace}"`
  if (record === undefined || record.holder === '') {
    const message = `nobody holds the ${what}: no controller runs`
    return { namespace, finding: failed('controller', 'LeaseNotHeld', message) }
  }
  const { holder, durationMs } = record
  if (!(age <= durationMs + clockSkewMs)) {
    const message = `${holder} last renewed the ${what} at ${renewed || 'no time'}: no controller runs`
    return { namespace, finding: failed('controller', 'LeaseNotHeld', message) }
  }
  return { namespace, finding: ok('controller', `${holder} leads, by the ${what}`) }
}
