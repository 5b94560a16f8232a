import { type Issuer, issuerKey } from '../api/issuer.ts'
import type { Clock } from '../clock.ts'
import { CertificateWatch } from '../issuance/certificate_watch.ts'
import { ChosenCertificates, chooserIn } from '../issuance/chosen_certificates.ts'
import { Courier } from '../issuance/courier.ts'
import { aboutKubernetesCsr, CsrController } from '../issuance/csr_controller.ts'
import { CsrWatch } from '../issuance/csr_watch.ts'
import { IssuerController } from '../issuance/issuer_controller.ts'
import type { IssuerState } from '../issuance/issuer_state.ts'
import { aboutRequest, Notices } from '../issuance/notices.ts'
import { References } from '../issuance/references.ts'
import { ReissueController } from '../issuance/reissue_controller.ts'
import { RequestController } from '../issuance/request_controller.ts'
import { RequestWatch } from '../issuance/request_watch.ts'
import type { RolloverProgress } from '../issuance/rollover_status.ts'
import { RotationController } from '../issuance/rotation_controller.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { WorkQueue } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import { nameText } from '../pki/names.ts'
import type { Random } from '../random.ts'
import type { Observed } from '../server/gauges.ts'
import type { IssuerGauges, Metrics } from '../server/metrics.ts'
import {
  CertificateDirectory,
  type DirectoryEntry,
  type VaultPlace,
} from '../vault/certificate_directory.ts'
import { workloadEnvironment } from '../vault/identity.ts'
import type { VaultPool } from '../vault/vault_pool.ts'
import type { RunFlags } from './run_flags.ts'

export interface ControllerDeps {
  readonly flags: RunFlags
  /** Where the references of ClusterIssuers resolve. */
  readonly clusterResources: string
  readonly kube: KubeClient
  readonly vaults: VaultPool
  readonly events: EventRecorder
  readonly metrics: Metrics
  /** Throws once another replica may lead. */
  readonly assertLeader: () => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** What the replica that leads does. */
export interface Controllers {
  /** Why requests are not answered yet. */
  readonly waits: ReturnType<Observed['waits']>
  readonly queues: readonly WorkQueue[]
  /** Whether the requests and issuers of the cluster were seen. */
  readonly synced: boolean
  /** A Key Vault certificate may have changed; whether anybody wants it. */
  notice(vaultHost: string, certificate: string): boolean
  /** Until the signal; rejects when one of them cannot go on. */
  run(signal: AbortSignal): Promise<void>
}

/** Puts the controllers together. They know one another only by what is wired here. */
export function wireControllers(deps: ControllerDeps): Controllers {
  const { flags, clusterResources, kube, vaults, events, metrics, assertLeader } = deps
  const { clock, random, log } = deps
  const directory = new CertificateDirectory({
    clock,
    random,
    log,
    pollIntervalMs: flags.certificatePollIntervalMs,
    onChange: (place, entry, owners) => vaultChanged(place, entry, owners),
  })
  const chosen = new ChosenCertificates(directory, clock)
  const issuers = new IssuerController({
    kube,
    clock,
    random,
    log,
    events,
    assertLeader,
    probeIntervalMs: flags.probeIntervalMs,
    certificates: (key) => ({
      behind: rotations.behind(key),
      rollover: reissues.progress(key),
    }),
    conditions: (key) => csrWatch.conditions(nameOf(key)),
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
    onSynced: () => requests.wakeAll(),
  })
  const courier = new Courier({
    kube,
    clock,
    log,
    directory,
    chosen,
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
    notices: new Notices(events, aboutRequest),
    courier,
    concurrency: flags.concurrency,
    issuerState: (key) => issuers.state(key),
    answersUngrouped,
    recheckIssuer: (key) => issuers.recheck(key),
    onAnswer: (answer) => metrics.answered('CertificateRequest', answer),
  })
  const csrs = new CsrController({
    kube,
    clock,
    random,
    log,
    assertLeader,
    notices: new Notices(events, aboutKubernetesCsr),
    concurrency: flags.concurrency,
    issuerState: (key) => issuers.state(key),
    missingRights: (name) => csrWatch.missingRights(name),
    recheckIssuer: (name) => {
      csrWatch.recheck(name)
      issuers.recheck(keyOfClusterIssuer(name))
    },
    onAnswer: (answer) => metrics.answered('CertificateSigningRequest', answer),
  })
  const csrWatch = new CsrWatch({
    kube,
    clock,
    random,
    log,
    onRequest: (type, request) => csrs.observe(type, request),
    onRights: (name) => {
      csrs.wake(name)
      issuers.recheck(keyOfClusterIssuer(name))
    },
  })
  const rotations = new RotationController({
    kube,
    clock,
    random,
    log,
    events,
    directory,
    chosen,
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
  const reissues = new ReissueController({
    kube,
    clock,
    random,
    log,
    assertLeader,
    issuer: (key) => issuers.issuer(key),
    signingState: (key) => {
      const state = issuers.state(key)
      return state?.kind === 'ready' && state.mode === 'sign' ? state : undefined
    },
    answers: ({ issuer, form }) => form === 'grouped' || answersUngrouped(issuer),
    requestsSynced: () => watch.synced,
    ratePerSecond: flags.reissueRate,
    onReissue: () => metrics.reissued(),
    onProgress: (key) => {
      metrics.rollover(key, countsOf(reissues.progress(key)))
      issuers.refresh(key)
    },
  })
  const certificates = new CertificateWatch({
    kube,
    clock,
    random,
    log,
    onEvent: (type, certificate) => {
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
    onRequest: (type, request) => {
      requests.observe(type, request)
      reissues.observeRequest(type, request)
    },
    onSynced: () => {
      for (const key of issuers.keys()) reissues.issuerChanged(key)
    },
    onRight: (name) => {
      const key = keyOfClusterIssuer(name)
      requests.wake(key)
      rotations.issuerChanged(key)
    },
  })
  function issuerChanged(key: string, issuer: Issuer | undefined): void {
    const state = issuers.state(key)
    metrics.issuer(key, gaugesOf(state))
    if (issuer === undefined || issuer.kind === 'ClusterIssuer') {
      const spec = issuer?.spec
      const answers = spec !== undefined && 'answerUngrouped' in spec && spec.answerUngrouped
      if (answers) watch.follow(nameOf(key))
      else watch.unfollow(nameOf(key))
      if (answersCsrs(issuer)) csrWatch.follow(nameOf(key))
      else csrWatch.unfollow(nameOf(key))
      csrs.wake(nameOf(key))
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
    reissues.issuerChanged(key)
  }
  function vaultChanged(place: VaultPlace, entry: DirectoryEntry, owners: readonly string[]): void {
    for (const owner of owners) {
      const chooser = chooserIn(owner)
      if (chooser !== undefined) {
        requests.wakeCertificate(chooser)
        continue
      }
      requests.wake(owner, entry.name)
      issuers.recheck(owner)
    }
    rotations.vaultChanged(place, entry)
  }

  return {
    get waits() {
      return { CertificateRequest: requests.waits, CertificateSigningRequest: csrs.waits }
    },
    queues: [requests, csrs, issuers, csrWatch, rotations, reissues].flatMap(
      ({ queues }) => queues,
    ),
    get synced() {
      return issuers.synced && watch.synced
    },
    notice: (vaultHost, certificate) => directory.notice(vaultHost, certificate),
    async run(signal) {
      try {
        await Promise.all([
          directory.run(signal),
          issuers.run(signal),
          watch.run(signal),
          requests.run(signal),
          csrWatch.run(signal),
          csrs.run(signal),
          certificates.run(signal),
          rotations.run(signal),
          reissues.run(signal),
        ])
      } finally {
        courier.close()
      }
    },
  }
}

function answersCsrs(issuer: Issuer | undefined): boolean {
  const spec = issuer?.spec
  return (
    spec !== undefined &&
    'mode' in spec &&
    spec.mode.type === 'sign' &&
    spec.mode.kubernetesCsr !== undefined
  )
}

function keyOfClusterIssuer(name: string): string {
  return issuerKey({ kind: 'ClusterIssuer', namespace: '', name })
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

function gaugesOf(state: IssuerState | undefined): IssuerGauges | undefined {
  if (state === undefined || state.kind === 'unknown') return undefined
  if (state.kind !== 'ready') return { ready: false, expiries: [] }
  if (state.mode === 'sign') {
    const { subject, notAfter } = state.signer.authority.certificate
    return { ready: true, expiries: [{ certificate: nameText(subject), notAfter }] }
  }
  const expiries = state.offers.flatMap(({ name, current }) =>
    current === undefined ? [] : [{ certificate: name, notAfter: current.certificate.notAfter }],
  )
  return { ready: true, expiries }
}

function countsOf(progress: RolloverProgress) {
  if (progress.kind !== 'counted') return undefined
  const { total, current, failed, unknown } = progress
  return { total, current, failed: failed.length, unknown: unknown.length }
}
