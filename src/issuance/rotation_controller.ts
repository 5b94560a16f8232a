import { isDeepStrictEqual } from 'node:util'
import { type Certificate, isIssuing } from '../api/certificate.ts'
import { certManagerApiVersion, rotatedReason } from '../api/names.ts'
import type { Clock } from '../clock.ts'
import { issuerErrorFrom, unreachable } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/events.ts'
import { WorkQueue, type WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import { selectsByLabel } from '../pki/policy.ts'
import type { Random } from '../random.ts'
import type {
  CertificateDirectory,
  DirectoryEntry,
  VaultPlace,
} from '../vault/certificate_directory.ts'
import type { ChosenCertificates } from './chosen_certificates.ts'
import { type Claim, claimOf } from './claim.ts'
import type { Courier } from './courier.ts'
import { countTry, decideRotation, type RotationTries } from './decide_rotation.ts'
import { wantedBy } from './fit.ts'
import type { Deliverer } from './issuer_state.ts'
import { triggerIssuing } from './issuing_trigger.ts'
import { readNamespaceLabels } from './namespace_labels.ts'
import type { Delivery } from './outcome.ts'
import { type Selection, selectCertificate } from './select_certificate.ts'
import { leafOf, readSecret } from './tls_secret.ts'

export interface RotationControllerOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly events: EventRecorder
  readonly directory: CertificateDirectory
  readonly chosen: ChosenCertificates
  readonly courier: Courier
  /** Throws `LeaseLost` when another replica may be at work. */
  readonly assertLeader: () => void
  /** Of an issuer that is ready and delivers. */
  readonly delivererOf: (claim: Claim) => Deliverer | undefined
  /** Over how long the issuances that one new version sets off are spread, in milliseconds. */
  readonly windowMs: number
  readonly onTriggered: () => void
  /** Told when `behind` says something else of an issuer. */
  readonly onBehind: (issuer: string) => void
}

/** What is known of a Certificate beside the object itself. */
interface Follower {
  certificate: Certificate
  /** The Key Vault certificate that it follows, in lower case. */
  follows?: string
  /** The version that its Secret was seen to hold. */
  holds?: string
  /** Why it cannot have the newest version. */
  behind?: string
  tries?: RotationTries
}

const concurrency = 16
/** What somebody must mend first is looked at again this much later, should no news come. */
const recheckMs = 60_000

/** Sets off a new issuance of each Certificate whose Secret has an older version than Key Vault. */
export class RotationController {
  readonly #options: RotationControllerOptions
  readonly #queue: WorkQueue
  readonly #followers = new Map<string, Follower>()

  constructor(options: RotationControllerOptions) {
    this.#options = options
    const { clock, random, log } = options
    this.#queue = new WorkQueue({
      name: 'rotations',
      concurrency,
      clock,
      random,
      work: (uid, signal) => this.#work(uid, signal),
      onError: (uid, error) => log.warn('following a Certificate failed', { uid, error }),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#queue.run(signal)
  }

  get queues(): readonly WorkQueue[] {
    return [this.#queue]
  }

  /** @returns whether what the Certificate asks for, or how far its issuance is, changed */
  observe(type: 'added' | 'updated' | 'deleted', certificate: Certificate): boolean {
    const { uid } = certificate
    const known = this.#followers.get(uid)
    if (type === 'deleted') {
      this.#followers.delete(uid)
      this.#queue.forget(uid)
      if (known?.behind !== undefined) this.#tellBehind(certificate)
      return true
    }
    if (known === undefined) {
      this.#followers.set(uid, { certificate })
      this.#queue.add(uid)
      return true
    }
    const before = known.certificate
    known.certificate = certificate
    if (before.revision !== certificate.revision) delete known.holds
    const isNews = !isDeepStrictEqual(progressOf(before), progressOf(certificate))
    if (isNews) this.#queue.add(uid)
    return isNews
  }

  /** An issuer became ready, or its list changed. */
  issuerChanged(issuer: string): void {
    for (const { certificate } of this.#followers.values()) {
      if (claimOf(certificate)?.issuer === issuer) this.#queue.add(certificate.uid)
    }
  }

  /** Key Vault has something new: those who follow it come one after the other. */
  vaultChanged({ vault }: VaultPlace, { name }: DirectoryEntry): void {
    const due = [...this.#followers.values()].filter(({ certificate, follows }) => {
      const claim = claimOf(certificate)
      const isThere = claim && this.#options.delivererOf(claim)?.vault === vault
      return isThere && (follows ?? name.toLowerCase()) === name.toLowerCase()
    })
    const step = this.#options.windowMs / Math.max(1, due.length)
    for (const [index, { certificate }] of due.entries()) {
      this.#queue.addAfter(certificate.uid, index * step)
    }
  }

  /** The Certificates of an issuer that cannot have what is newest, each with the reason. */
  behind(issuer: string): readonly string[] {
    const reasons: string[] = []
    for (const { certificate, behind } of this.#followers.values()) {
      if (behind === undefined || claimOf(certificate)?.issuer !== issuer) continue
      reasons.push(`Certificate ${certificate.namespace}/${certificate.name}: ${behind}`)
    }
    return reasons.sort()
  }

  async #work(uid: string, signal: AbortSignal): Promise<WorkResult> {
    const follower = this.#followers.get(uid)
    const claim = follower && claimOf(follower.certificate)
    const deliverer = claim && this.#options.delivererOf(claim)
    // An issuance under way takes the newest version, and this is looked at again when it ends.
    if (follower === undefined || deliverer === undefined || isIssuing(follower.certificate)) {
      return done
    }
    const selection = await this.#select(follower.certificate, deliverer, signal)
    if (selection.kind === 'unread') {
      await this.#options.chosen.read(follower.certificate, deliverer, selection.name, signal)
      return { kind: 'after', ms: 0 }
    }
    if (selection.name !== undefined) follower.follows = selection.name.toLowerCase()
    if (selection.kind === 'refused') {
      // Before the first delivery its request tells of the refusal.
      if (follower.certificate.revision > 0) this.#fallBehind(follower, selection.message)
      return { kind: 'after', ms: recheckMs }
    }
    if (selection.kind === 'unavailable') return done
    try {
      const result = await this.#bringUp(follower, { deliverer, ...selection }, signal)
      this.#fallBehind(follower, undefined)
      return result
    } catch (thrown) {
      const error = issuerErrorFrom(thrown)
      if (error.retry !== 'change') throw error
      this.#fallBehind(follower, error.message)
      return { kind: 'after', ms: recheckMs }
    }
  }

  async #select(
    certificate: Certificate,
    deliverer: Deliverer,
    signal: AbortSignal,
  ): Promise<Selection> {
    const { kube, directory } = this.#options
    const { namespace, chosen } = certificate
    const needsLabels = deliverer.allowed.some(({ namespaces }) => selectsByLabel(namespaces))
    const namespaceLabels = needsLabels ? await readNamespaceLabels(kube, namespace, signal) : {}
    const wanted = wantedBy(certificate)
    const entry = (name: string) => directory.entry(deliverer, name)
    const request = { deliverer, namespace, namespaceLabels, chosen, wanted, entry }
    const selection = selectCertificate(request)
    // What it chose is looked after for as long as it chooses that, and no longer.
    const isOpen = selection.kind !== 'refused' || selection.name !== undefined
    const refusal = this.#options.chosen.keep(certificate, deliverer, isOpen ? chosen : undefined)
    return refusal === undefined
      ? selection
      : { kind: 'refused', name: undefined, message: refusal }
  }

  /** Compares with the Secret as it is, and sets off an issuance where that has something else. */
  async #bringUp(
    follower: Follower,
    offer: Omit<Delivery, 'csr'>,
    signal: AbortSignal,
  ): Promise<WorkResult> {
    const { kube, clock, random, log, courier, assertLeader, onTriggered } = this.#options
    const { certificate, holds, tries } = follower
    const { namespace, secretName } = certificate
    const { name, version: offered } = offer
    const { version } = offered
    if (holds === version) return done
    const present = leafOf(await readSecret(kube, namespace, secretName, signal))
    const monotonic = clock.monotonic()
    const facts = { certificate, present, offered, tries, now: clock.now(), monotonic }
    const step = decideRotation(facts)
    switch (step.kind) {
      case 'leave':
        return done
      case 'hasIt':
        follower.holds = version
        delete follower.tries
        return done
      case 'pause':
        return { kind: 'after', ms: step.ms }
      case 'trigger':
        break
      default:
        return unreachable(step)
    }
    // A key that cannot be had would leave the issuance hanging; better not to begin it.
    await courier.prove(offer, signal)
    const message = `Key Vault has version ${version} of certificate "${name}"`
    const why = { reason: rotatedReason, message }
    const now = () => clock.now()
    if (!(await triggerIssuing(kube, certificate, why, now, assertLeader, signal))) return done
    follower.tries = countTry(facts, random)
    onTriggered()
    log.info('asked for a new issuance', {
      namespace,
      certificate: certificate.name,
      version: `${name}/${version}`,
    })
    return done
  }

  #fallBehind(follower: Follower, reason: string | undefined): void {
    if (follower.behind === reason) return
    const { certificate } = follower
    if (reason === undefined) delete follower.behind
    else follower.behind = reason
    this.#tellBehind(certificate)
    if (reason === undefined) return
    const { namespace, name, uid } = certificate
    this.#options.events.record({
      regarding: { apiVersion: certManagerApiVersion, kind: 'Certificate', namespace, name, uid },
      type: 'Warning',
      reason: 'VersionDoesNotFit',
      note: `the newest version in Key Vault is not delivered: ${reason}`,
    })
  }

  #tellBehind(certificate: Certificate): void {
    const issuer = claimOf(certificate)?.issuer
    if (issuer !== undefined) this.#options.onBehind(issuer)
  }
}

function progressOf(certificate: Certificate): readonly unknown[] {
  const { generation, chosen, revision, nextKeySecret } = certificate
  return [generation, chosen, revision, nextKeySecret, isIssuing(certificate)]
}

const done: WorkResult = { kind: 'done' }
