import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { type Issuer, issuerKey } from './api/issuer.ts'
import { group, reportingController } from './api/names.ts'
import { parseRunFlags, type RunFlags, runHelp } from './cli/run_flags.ts'
import { systemClock } from './clock.ts'
import { issuerErrorFrom } from './error.ts'
import { CertificateWatch } from './issuance/certificate_watch.ts'
import { Courier, uidOfChooser } from './issuance/courier.ts'
import { IssuerController } from './issuance/issuer_controller.ts'
import { Notices } from './issuance/notices.ts'
import { References } from './issuance/references.ts'
import { RequestController } from './issuance/request_controller.ts'
import { RequestWatch } from './issuance/request_watch.ts'
import { RotationController } from './issuance/rotation_controller.ts'
import { openKubeClient } from './kube/client.ts'
import { EventRecorder } from './kube/events.ts'
import { LeaseElection } from './kube/lease.ts'
import { jsonLog } from './log.ts'
import { systemRandom } from './random.ts'
import { Metrics } from './server/metrics.ts'
import { startServer } from './server/server.ts'
import {
  CertificateDirectory,
  type DirectoryEntry,
  type VaultPlace,
} from './vault/certificate_directory.ts'
import { vaultConnections } from './vault/connections.ts'
import { credentialOf, workloadEnvironment } from './vault/identity.ts'
import { KeyVault } from './vault/key_vault.ts'
import { TokenSource } from './vault/token_source.ts'
import { VaultPool } from './vault/vault_pool.ts'

const help = `akv-issuer: a cert-manager issuer for Azure Key Vault.

  akv-issuer run [flags]   answer CertificateRequests; see akv-issuer run --help
  akv-issuer version
  akv-issuer help
`

process.exitCode = await main(process.argv.slice(2))

async function main([command, ...args]: readonly string[]): Promise<number> {
  if (command === 'help' || command === '--help') return print(help)
  if (command === 'version' || command === '--version') return print(`${packageVersion()}\n`)
  if (command !== 'run') {
    process.stderr.write(command === undefined ? help : `unknown command "${command}"\n${help}`)
    return 2
  }
  if (args.includes('--help')) return print(runHelp)
  const parsed = parseRunFlags(args)
  if (!parsed.ok) {
    process.stderr.write(`${parsed.message}\n`)
    return 2
  }
  return await run(parsed.flags)
}

async function run(flags: RunFlags): Promise<number> {
  const clock = systemClock
  const random = systemRandom
  const log = jsonLog(flags.logLevel)
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      log.info('stopping', { signal: name })
      stop.abort()
    })
  }

  const metrics = new Metrics({ openRequests: () => requests.open, leading: () => leading })
  let leading = false
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
  const clusterResources = flags.clusterResourceNamespace ?? namespace
  const dispatcher = vaultConnections(() => assertLeader())
  const vaults = new VaultPool((location, identity, inFlight) => {
    const credential = credentialOf(identity, location.cloud)
    const tokens = new TokenSource(identity, credential, location.cloud, clock)
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
  const election = flags.leaderElect
    ? new LeaseElection({ client: kube, namespace, name: 'akv-issuer', clock, random, log })
    : undefined
  const assertLeader = () => election?.assertHeld()
  const directory = new CertificateDirectory({
    clock,
    random,
    log,
    pollIntervalMs: flags.certificatePollIntervalMs,
    onChange: (place, entry, owners) => vaultChanged(place, entry, owners),
  })
  const issuers = new IssuerController({
    kube,
    clock,
    random,
    log,
    events,
    assertLeader,
    probeIntervalMs: flags.probeIntervalMs,
    behind: (key) => rotations.behind(key),
    probe: {
      directory,
      allowedSuffixes: flags.vaultHostSuffixes,
      workload: workloadEnvironment(process.env),
      ambientIdentityForIssuers: flags.issuerAmbientIdentity,
      references: (issuer) => new References(kube, issuer.namespace || clusterResources),
      vault: (location, identity, inFlight) => vaults.get(location, identity, inFlight),
      random,
      now: () => clock.now(),
    },
    onChange: (key, issuer) => issuerChanged(key, issuer),
  })
  const courier = new Courier({
    kube,
    clock,
    log,
    directory,
    assertLeader,
    onSwap: () => metrics.keySwapped(),
  })
  const answersUngrouped = (key: string) => {
    const spec = issuers.issuer(key)?.spec
    return spec !== undefined && 'answerUngrouped' in spec && spec.answerUngrouped
      ? watch.hasNoRival(nameOf(key))
      : false
  }
  const requests = new RequestController({
    kube,
    clock,
    random,
    log,
    assertLeader,
    notices: new Notices(events),
    courier,
    concurrency: flags.concurrency,
    issuerState: (key) => issuers.state(key),
    answersUngrouped,
    recheckIssuer: (key) => issuers.recheck(key),
    onAnswer: ({ reason }) => metrics.answered(reason),
  })
  const rotations = new RotationController({
    kube,
    clock,
    random,
    log,
    events,
    directory,
    courier,
    assertLeader,
    delivererOf: ({ issuer, form }) => {
      const state = issuers.state(issuer)
      const isOurs = form === 'grouped' || answersUngrouped(issuer)
      return isOurs && state?.kind === 'ready' && state.mode === 'deliver'
        ? state.deliverer
        : undefined
    },
    windowMs: flags.rotationWindowMs,
    onTriggered: () => metrics.rotated(),
    onBehind: (key) => {
      metrics.certificatesBehind(key, rotations.behind(key).length)
      issuers.recheck(key)
    },
  })
  const certificates = new CertificateWatch({
    kube,
    clock,
    random,
    log,
    onCertificate: (type, certificate) => {
      const isNews = rotations.observe(type, certificate)
      if (type === 'deleted') courier.forgetCertificate(certificate.uid)
      else if (isNews) requests.wakeCertificate(certificate.uid)
    },
  })
  const watch = new RequestWatch({
    kube,
    clock,
    random,
    log,
    onRequest: (type, request) => requests.observe(type, request),
    onRight: (name) => {
      const key = issuerKey({ kind: 'ClusterIssuer', namespace: '', name })
      requests.wake(key)
      rotations.issuerChanged(key)
    },
  })
  function issuerChanged(key: string, issuer: Issuer | undefined): void {
    const state = issuers.state(key)
    metrics.issuerReady(key, state && state.kind !== 'unknown' ? state.kind === 'ready' : undefined)
    if (issuer === undefined || issuer.kind === 'ClusterIssuer') {
      const spec = issuer?.spec
      const answers = spec !== undefined && 'answerUngrouped' in spec && spec.answerUngrouped
      if (answers) watch.follow(nameOf(key))
      else watch.unfollow(nameOf(key))
    }
    const spec = issuer?.spec
    const delivers = spec !== undefined && 'mode' in spec && spec.mode.type === 'deliver'
    if (issuer !== undefined && delivers) certificates.follow(issuer)
    else {
      certificates.unfollow(key)
      directory.unwatch(key)
    }
    requests.wake(key)
    rotations.issuerChanged(key)
  }
  function vaultChanged(place: VaultPlace, entry: DirectoryEntry, owners: readonly string[]): void {
    for (const owner of owners) {
      const chooser = uidOfChooser(owner)
      if (chooser !== undefined) {
        requests.wakeCertificate(chooser)
        continue
      }
      requests.wake(owner, entry.name.toLowerCase())
      issuers.recheck(owner)
    }
    rotations.vaultChanged(place, entry)
  }

  const server = await startServer({
    ...flags.listen,
    registry: metrics.registry,
    healthy: () => !stop.signal.aborted,
    ready: () => !leading || (issuers.synced && watch.synced),
  })
  log.info('started', {
    version: packageVersion(),
    server: kube.server,
    namespace,
    listen: server.url,
  })

  const lead = async (signal: AbortSignal) => {
    leading = true
    log.info('leading', { group })
    try {
      await Promise.all([
        directory.run(signal),
        issuers.run(signal),
        watch.run(signal),
        requests.run(signal),
        certificates.run(signal),
        rotations.run(signal),
      ])
    } finally {
      courier.close()
      leading = false
    }
  }
  try {
    if (election) await election.run(stop.signal, lead)
    else await lead(stop.signal)
    return 0
  } catch (thrown) {
    if (stop.signal.aborted) return 0
    log.error('ended', { error: issuerErrorFrom(thrown) })
    return 1
  } finally {
    await events.flush()
    await server.close()
    await dispatcher.close()
    await kube.close()
  }
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown'
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
