import { hostname } from 'node:os'
import { group, reportingController } from '../api/names.ts'
import { systemClock } from '../clock.ts'
import { issuerErrorFrom } from '../error.ts'
import { openKubeClient } from '../kube/client.ts'
import { EventRecorder } from '../kube/events.ts'
import { LeaseElection } from '../kube/lease.ts'
import { ServiceAccountTokens } from '../kube/service_account_tokens.ts'
import { jsonLog } from '../log.ts'
import { systemRandom } from '../random.ts'
import { Metrics } from '../server/metrics.ts'
import { startServer } from '../server/server.ts'
import { vaultConnections } from '../vault/connections.ts'
import { accountCredential, credentialOf } from '../vault/identity.ts'
import { holderOf } from '../vault/identity_failure.ts'
import { KeyVault } from '../vault/key_vault.ts'
import { TokenSource } from '../vault/token_source.ts'
import { VaultPool } from '../vault/vault_pool.ts'
import { wireControllers } from './controllers.ts'
import { type EventGrid, startEventGrid } from './event_grid.ts'
import type { RunFlags } from './run_flags.ts'
import { stopOnSignal } from './stop_signal.ts'
import { packageVersion } from './version.ts'

/**
 * Answers CertificateRequests until SIGINT or SIGTERM.
 *
 * @returns the exit code of the process
 */
export async function run(flags: RunFlags): Promise<number> {
  const clock = systemClock
  const random = systemRandom
  const log = jsonLog(flags.logLevel)
  const stop = stopOnSignal((signal) => log.info('stopping', { signal }))

  let leading = false
  const metrics = new Metrics({
    leading: () => leading,
    waits: () => controllers.waits,
    queues: () => controllers.queues,
  })
  const kube = await openKubeClient({
    ...(flags.kubeconfig !== undefined && { kubeconfig: flags.kubeconfig }),
    userAgent: `akv-issuer/${packageVersion()}`,
    clock,
    log,
    onCall: (call) => metrics.kubeCall(call),
  })
  const namespace = flags.namespace ?? kube.namespace
  if (namespace === undefined) {
    process.stderr.write('the namespace of the controller is not known: set --namespace\n')
    return 2
  }
  const election = flags.leaderElect
    ? new LeaseElection({ client: kube, namespace, name: 'akv-issuer', clock, random, log })
    : undefined
  const assertLeader = () => election?.assertHeld()
  const dispatcher = vaultConnections(assertLeader)
  const accountTokens = new ServiceAccountTokens(kube, clock)
  const vaults = new VaultPool((location, identity, inFlight) => {
    const { cloud } = location
    const credential =
      identity.type === 'serviceAccount'
        ? accountCredential(identity, cloud, (...of) => accountTokens.token(...of))
        : credentialOf(identity, cloud)
    const tokens = new TokenSource(holderOf(identity), credential, cloud, clock)
    const onCall = (call: Parameters<Metrics['vaultCall']>[0]) => metrics.vaultCall(call)
    return new KeyVault({ location, tokens, inFlight, dispatcher, clock, assertLeader, onCall })
  })
  const events = new EventRecorder({
    client: kube,
    reportingController,
    reportingInstance: hostname(),
    clock,
    random,
    log,
  })
  const controllers = wireControllers({
    flags,
    clusterResources: flags.clusterResourceNamespace ?? namespace,
    kube,
    vaults,
    events,
    metrics,
    assertLeader,
    clock,
    random,
    log,
  })
  const server = await startServer({
    ...flags.listen,
    registry: metrics.registry,
    // Each step of the work has a time limit, and so few have many minutes together.
    healthy: () => controllers.queues.every(({ longestMs }) => longestMs < stuckMs),
    ready: () => !leading || controllers.synced,
  })
  let eventGrid: EventGrid | undefined
  const lead = async (signal: AbortSignal) => {
    leading = true
    log.info('leading', { group })
    try {
      await Promise.all([
        controllers.run(signal),
        flags.leaderElect && eventGrid?.followOthers(signal),
      ])
    } finally {
      leading = false
    }
  }
  try {
    eventGrid =
      flags.eventGrid &&
      (await startEventGrid({
        ...flags.eventGrid,
        kube,
        namespace,
        assertLeader,
        look: (vaultHost, certificate) => controllers.notice(vaultHost, certificate),
        metrics,
        clock,
        random,
        log,
      }))
    log.info('started', {
      version: packageVersion(),
      server: kube.server,
      namespace,
      listen: server.url,
      ...(eventGrid && { eventGrid: eventGrid.url }),
    })
    if (election) await election.run(stop, lead)
    else await lead(stop)
    return 0
  } catch (thrown) {
    if (stop.aborted) return 0
    log.error('ended', { error: issuerErrorFrom(thrown) })
    return 1
  } finally {
    await events.flush()
    await eventGrid?.close()
    await server.close()
    await dispatcher.close()
    await kube.close()
  }
}

const stuckMs = 15 * 60_000
