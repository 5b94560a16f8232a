import { isDeepStrictEqual } from 'node:util'
import type { Certificate } from '../api/certificate.ts'
import { type CertificateRequest, rootsDigest } from '../api/certificate_request.ts'
import type { Issuer } from '../api/issuer.ts'
import { rolloverReason } from '../api/names.ts'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import { backoffMs } from '../kube/backoff.ts'
import type { KubeClient } from '../kube/client.ts'
import { WorkQueue, type WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'
import { CertificateWatch, certificatesPath } from './certificate_watch.ts'
import { type Claim, claimOf } from './claim.ts'
import { type Issuance, Issuances } from './issuances.ts'
import type { ReadyState } from './issuer_state.ts'
import { triggerIssuing } from './issuing_trigger.ts'
import { readIsSignedBy } from './leaf_signer.ts'
import { countStandings, type RolloverProgress } from './rollover_status.ts'
import { type Offer, type Standing, standingOf } from './standing.ts'

export interface ReissueControllerOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Throws `LeaseLost` when another replica may be at work. */
  readonly assertLeader: () => void
  /** Of an issuer that is ready and signs. */
  readonly signingState: (key: string) => SigningState | undefined
  readonly issuer: (key: string) => Issuer | undefined
  /** Whether a reference is for us to answer at this moment. */
  readonly answers: (claim: Claim) => boolean
  /** Whether the requests of the cluster were seen. */
  readonly requestsSynced: () => boolean
  /** Issuances asked for in a second, over all issuers. */
  readonly ratePerSecond: number
  readonly onReissue: () => void
  /** Told when `progress` says something else of an issuer. */
  readonly onProgress: (issuer: string) => void
}

export type SigningState = Extract<ReadyState, { mode: 'sign' }>

/** What is known of a Certificate beside the object itself. */
interface Follower {
  certificate: Certificate
  readonly issuer: string
  /** As it was last told. */
  standing?: Standing
  /** Who signed what the request of that UID brought. */
  signed?: { readonly request: string; readonly keyId: string; readonly isBy: boolean }
  /** Issuances asked for in vain, should something else undo them. */
  tries?: { readonly offer: Offer; readonly count: number; readonly notBefore: number }
}

/** A right that the controller lacks. */
interface Missing {
  readonly right: 'read' | 'write'
  readonly message: string
  /** By the monotonic clock: when it is tried again. */
  readonly until: number
}

const looksAtOnce = 8
const recheckMs = 60_000
const retryBackoff = { baseMs: 60_000, maxMs: 3_600_000 }

/**
 * Brings Certificates to the CA that signs and the roots that are published, at a bounded rate and
 * each once: by comparing what each was given last with what it would be given now.
 */
export class ReissueController {
  readonly #options: ReissueControllerOptions
  readonly #issuances = new Issuances()
  readonly #watch: CertificateWatch
  readonly #followers = new Map<string, Follower>()
  readonly #missing = new Map<string, Missing>()
  /** By issuer: whether its Certificates are followed. */
  readonly #issuers: WorkQueue
  readonly #looks: WorkQueue
  readonly #due: WorkQueue

  constructor(options: ReissueControllerOptions) {
    this.#options = options
    const { kube, clock, random, log } = options
    const queue = (
      name: string,
      concurrency: number,
      work: (key: string, signal: AbortSignal) => Promise<WorkResult>,
    ) =>
      new WorkQueue({
        name,
        concurrency,
        clock,
        random,
        work,
        onError: (key, error) => log.warn('following a rollover failed', { key, error }),
      })
    this.#issuers = queue('rollover_issuers', 1, (key, signal) => this.#follow(key, signal))
    this.#looks = queue('rollover_certificates', looksAtOnce, (uid, signal) =>
      this.#look(uid, signal),
    )
    this.#due = queue('reissues', 1, (uid, signal) => this.#reissue(uid, signal))
    this.#watch = new CertificateWatch({
      kube,
      clock,
      random,
      log,
      onEvent: (type, certificate) => this.#observe(type, certificate),
      onSynced: (issuer) => options.onProgress(issuer),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const parts = [this.#watch, this.#issuers, this.#looks, this.#due]
    await Promise.all(parts.map((part) => part.run(signal)))
  }

  get queues(): readonly WorkQueue[] {
    return [this.#issuers, this.#looks, this.#due]
  }

  /** What a watch of the requests saw. */
  observeRequest(type: 'added' | 'updated' | 'deleted', request: CertificateRequest): void {
    const certificateUid = this.#issuances.observe(type, request)
    const issuer = claimOf(request)?.issuer
    if (certificateUid === undefined || issuer === undefined) return
    if (this.#followers.has(certificateUid)) this.#looks.add(certificateUid)
    else if ((request.roots?.count ?? 0) > 1 && !this.#watch.isFollowing(issuer)) {
      this.#issuers.add(issuer)
    }
  }

  /** The requests of the cluster were seen, or what is known of an issuer changed. */
  issuerChanged(key: string): void {
    this.#issuers.add(key)
  }

  /** As of this moment: never what another CA, or another revision, was looked at for. */
  progress(issuer: string): RolloverProgress {
    const state = this.#options.signingState(issuer)
    if (state === undefined || !this.#options.requestsSynced()) return { kind: 'counting' }
    if (!this.#takesPart(issuer)) return { kind: 'none' }
    const missing = this.#missing.get(issuer)
    if (missing?.right === 'read') return { kind: 'stuck', message: missing.message }
    if (!this.#watch.isSynced(issuer)) return { kind: 'counting' }
    const offer = offerOf(state)
    const standings = this.#standings(issuer, offer)
    const isDue = standings.some(([, standing]) => standing === 'due')
    if (missing !== undefined && isDue) return { kind: 'stuck', message: missing.message }
    return countStandings(standings)
  }

  #standings(issuer: string, offer: Offer): readonly (readonly [string, Standing])[] {
    return [...this.#followers.values()].flatMap((follower) => {
      const { namespace, name } = follower.certificate
      if (follower.issuer !== issuer || !this.#answers(follower)) return []
      return [[`${namespace}/${name}`, this.#standing(follower, offer)] as const]
    })
  }

  /** Whether the issuer has a next CA, or somebody still carries the roots of a rollover. */
  #takesPart(issuer: string): boolean {
    const state = this.#options.signingState(issuer)
    if (state === undefined || state.next?.kind === 'broken') return false
    const digest = rootsDigest(state.signer.bundle.pem)
    return state.next !== undefined || this.#issuances.hasBundlesBeside(issuer, digest)
  }

  async #follow(key: string, signal: AbortSignal): Promise<WorkResult> {
    const { kube, issuer: issuerOf, onProgress } = this.#options
    const issuer = issuerOf(key)
    if (issuer === undefined || !this.#takesPart(key)) {
      this.#watch.unfollow(key)
      this.#missing.delete(key)
      onProgress(key)
      return done
    }
    try {
      const path = certificatesPath(issuer)
      await kube.request({ method: 'GET', path, query: { limit: 1 } }, signal)
    } catch (error) {
      if (!(error instanceof IssuerError && error.code === 'KubeForbidden')) throw error
      this.#watch.unfollow(key)
      this.#lacks(key, 'read', 'list Certificates')
      return { kind: 'after', ms: recheckMs }
    }
    if (this.#missing.get(key)?.right === 'read') this.#missing.delete(key)
    this.#watch.follow(issuer)
    for (const [uid, follower] of this.#followers) if (follower.issuer === key) this.#looks.add(uid)
    onProgress(key)
    return done
  }

  #lacks(issuer: string, right: Missing['right'], what: string): void {
    const message =
      `the controller may not ${what}: apply config/rbac/rollover, or renew the Certificates by hand ` +
      '(cmctl renew)'
    const until = this.#options.clock.monotonic() + recheckMs
    this.#missing.set(issuer, { right, message, until })
    this.#options.onProgress(issuer)
  }

  #observe(type: 'added' | 'updated' | 'deleted', certificate: Certificate): void {
    const { uid } = certificate
    const issuer = claimOf(certificate)?.issuer
    const known = this.#followers.get(uid)
    if (issuer === undefined) return
    if (type === 'deleted') {
      // Seen with another issuer already.
      if (known?.issuer !== issuer) return
      this.#followers.delete(uid)
      this.#looks.forget(uid)
      this.#due.forget(uid)
      this.#options.onProgress(issuer)
      return
    }
    if (known?.issuer === issuer) known.certificate = certificate
    else this.#followers.set(uid, { certificate, issuer })
    this.#looks.add(uid)
  }

  async #look(uid: string, signal: AbortSignal): Promise<WorkResult> {
    const follower = this.#followers.get(uid)
    const state = follower && this.#stateFor(follower)
    if (follower === undefined || state === undefined) return done
    const offer = offerOf(state)
    const issuance = this.#issuance(follower)
    if (this.#standing(follower, offer) === 'unread' && issuance !== undefined) {
      await this.#read(follower, issuance, state, signal)
    }
    const standing = this.#standing(follower, offer)
    if (standing === 'due') this.#due.add(uid)
    else if (standing === 'current') delete follower.tries
    if (follower.standing === standing) return done
    follower.standing = standing
    this.#options.onProgress(follower.issuer)
    return done
  }

  async #reissue(uid: string, signal: AbortSignal): Promise<WorkResult> {
    const follower = this.#followers.get(uid)
    const state = follower && this.#stateFor(follower)
    if (follower === undefined || state === undefined) return done
    const offer = offerOf(state)
    if (this.#standing(follower, offer) !== 'due') return done
    const { kube, clock, random, log, assertLeader, ratePerSecond, onReissue } = this.#options
    const { certificate, issuer } = follower
    const tries = isDeepStrictEqual(follower.tries?.offer, offer) ? follower.tries : undefined
    const notBefore = Math.max(tries?.notBefore ?? 0, this.#missing.get(issuer)?.until ?? 0)
    if (notBefore > clock.monotonic()) return { kind: 'after', ms: notBefore - clock.monotonic() }
    const turn = clock.monotonic()
    const message = `${issuer} signs with another CA, or publishes other roots, than this has`
    const why = { reason: rolloverReason, message }
    try {
      const now = () => clock.now()
      if (!(await triggerIssuing(kube, certificate, why, now, assertLeader, signal))) return done
    } catch (error) {
      if (!(error instanceof IssuerError && error.code === 'KubeForbidden')) throw error
      this.#lacks(issuer, 'write', 'update the status of Certificates')
      return { kind: 'after', ms: recheckMs }
    }
    this.#missing.delete(issuer)
    const count = (tries?.count ?? 0) + 1
    const again = clock.monotonic() + backoffMs(count, retryBackoff, random)
    follower.tries = { offer, count, notBefore: again }
    onReissue()
    const { namespace, name } = certificate
    log.info('asked for a new issuance', { namespace, certificate: name, issuer })
    await clock.sleep(Math.max(0, turn + 1000 / ratePerSecond - clock.monotonic()), signal)
    return done
  }

  #standing(follower: Follower, offer: Offer): Standing {
    const issuance = this.#issuance(follower)
    const { signed } = follower
    const isRead = signed?.request === issuance?.uid && signed?.keyId === offer.keyId
    return standingOf(follower.certificate, issuance, offer, isRead ? signed?.isBy : undefined)
  }

  #issuance({ certificate, issuer }: Follower): Issuance | undefined {
    const issuance = this.#issuances.get(certificate.uid, certificate.revision)
    return issuance?.issuer === issuer ? issuance : undefined
  }

  async #read(
    follower: Follower,
    issuance: Issuance,
    { signer }: SigningState,
    signal: AbortSignal,
  ): Promise<void> {
    const isBy = await readIsSignedBy(this.#options.kube, issuance, signer.authority, signal)
    if (isBy === undefined) return
    follower.signed = { request: issuance.uid, keyId: signer.keyId, isBy }
  }

  /** Of an issuer whose Certificates are to have what it would give now. */
  #stateFor(follower: Follower): SigningState | undefined {
    const { signingState } = this.#options
    const state = this.#answers(follower) ? signingState(follower.issuer) : undefined
    return state?.next?.kind === 'broken' ? undefined : state
  }

  #answers({ certificate }: Follower): boolean {
    const claim = claimOf(certificate)
    return claim !== undefined && this.#options.answers(claim)
  }
}

function offerOf({ signer, next }: SigningState): Offer {
  return {
    rootsDigest: rootsDigest(signer.bundle.pem),
    keyId: signer.keyId,
    hasNext: next !== undefined,
    nextSigns: next?.kind === 'proven' && next.active,
  }
}

const done: WorkResult = { kind: 'done' }
