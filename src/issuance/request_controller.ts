import {
  type CertificateRequest,
  isAnswered,
  parseCertificateRequest,
} from '../api/certificate_request.ts'
import type { Clock } from '../clock.ts'
import { type ErrorCode, IssuerError, unreachable } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { WorkQueue, WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import { serialLength } from '../pki/template.ts'
import type { Random } from '../random.ts'
import { type Claim, claimOf } from './claim.ts'
import type { Courier } from './courier.ts'
import { decide } from './decide.ts'
import type { IssuerState } from './issuer_state.ts'
import { KeptSignatures } from './kept_signatures.ts'
import type { Notices } from './notices.ts'
import { type OpenRequest, OpenRequests } from './open_requests.ts'
import type { AcceptedAnswer, Outcome } from './outcome.ts'
import { readFacts } from './request_facts.ts'
import { RequestLoop } from './request_loop.ts'
import { type Answer, certificateRequestPath, writeAnswer } from './request_status.ts'
import { type Wait, Waits } from './waits.ts'

export interface RequestControllerOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly notices: Notices<CertificateRequest>
  readonly courier: Courier
  /** Requests of one vault worked on at once; those waiting for its answer count. */
  readonly concurrency: number
  /** Throws `LeaseLost` when another replica may be at work. */
  readonly assertLeader: () => void
  readonly issuerState: (key: string) => IssuerState | undefined
  /** Whether an issuer answers references without our group at this moment. */
  readonly answersUngrouped: (key: string) => boolean
  /** Asks for a probe of the issuer: Key Vault refused what it had granted. */
  readonly recheckIssuer: (key: string) => void
  readonly onAnswer: (answer: AcceptedAnswer) => void
}

/** The life of a request from approval to answer. */
export class RequestController {
  readonly #options: RequestControllerOptions
  readonly #loop: RequestLoop<OpenRequest>
  readonly #requests = new OpenRequests()
  readonly #signatures: KeptSignatures
  readonly #waits: Waits
  /** UIDs of requests whose delivery was written and accepted; the watch has not shown it yet. */
  readonly #delivered = new Set<string>()

  constructor(options: RequestControllerOptions) {
    this.#options = options
    const { clock, random, log, concurrency, assertLeader, issuerState, recheckIssuer } = options
    this.#signatures = new KeptSignatures(assertLeader, log)
    this.#waits = new Waits(clock)
    this.#loop = new RequestLoop({
      clock,
      random,
      log,
      name: 'requests',
      concurrency,
      waits: this.#waits,
      find: (uid) => this.#requests.get(uid),
      issuerState: ({ claim }) => issuerState(claim.issuer),
      answer: (open, signal) => this.#answer(open, signal),
      reread: ({ request }, signal) => this.#reread(request, signal),
      gone: ({ request }) => this.#forget(request.uid),
      tell: ({ request, claim }, error, signal) => this.#pending(request, claim, error, signal),
      recheckIssuer: ({ claim }) => recheckIssuer(claim.issuer),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#loop.run(signal)
  }

  get queues(): readonly WorkQueue[] {
    return [this.#loop.queue]
  }

  /** Why requests have no answer yet, and how long. */
  get waits(): readonly Wait[] {
    return this.#waits.list()
  }

  /** What a watch saw. Foreign requests may come in and are dropped here. */
  observe(type: 'added' | 'updated' | 'deleted', request: CertificateRequest): void {
    const claim = claimOf(request)
    if (claim === undefined) return
    if (type === 'deleted' || isAnswered(request)) {
      this.#forget(request.uid)
      return
    }
    this.#waits.seen(request)
    if (this.#requests.put(request, claim)) this.#loop.add(request.uid)
  }

  /** Looks at the open requests of an issuer again; not at those that wait for another `name`. */
  wake(issuer: string, name?: string): void {
    for (const uid of this.#requests.ofIssuer(issuer, name)) this.#loop.add(uid)
  }

  wakeAll(): void {
    for (const uid of this.#requests.uids()) this.#loop.add(uid)
  }

  /** Looks at the open requests of a Certificate again. */
  wakeCertificate(certificateUid: string): void {
    for (const uid of this.#requests.ofCertificate(certificateUid)) this.#loop.add(uid)
  }

  #forget(uid: string): void {
    this.#requests.delete(uid)
    this.#delivered.delete(uid)
    this.#options.courier.forgetRequest(uid)
    this.#signatures.forget(uid)
    this.#loop.forget(uid)
    this.#waits.forget(uid)
    this.#options.notices.forget(uid)
  }

  async #answer(open: OpenRequest, signal: AbortSignal): Promise<WorkResult> {
    const { request, claim } = open
    const { uid } = request
    if (this.#signatures.isPublished(uid) || this.#delivered.has(uid)) return done
    const { clock, random, issuerState, answersUngrouped } = this.#options
    const issuer = issuerState(claim.issuer)
    const answers = answersUngrouped(claim.issuer)
    const isOurs = claim.form === 'grouped' || answers
    const outcome = decide({
      request,
      claim,
      issuer,
      answersUngrouped: answers,
      ...(await readFacts(request, isOurs ? issuer : undefined, this.#options, signal)),
      now: clock.now(),
      serialBytes: random.bytes(serialLength),
    })
    this.#waits.decided(uid, outcome)
    open.waitsFor = outcome.kind === 'wait' ? outcome.about?.toLowerCase() : undefined
    return await this.#carryOut(outcome, request, claim, signal)
  }

  async #carryOut(
    outcome: Outcome,
    request: CertificateRequest,
    claim: Claim,
    signal: AbortSignal,
  ): Promise<WorkResult> {
    const { notices, courier } = this.#options
    switch (outcome.kind) {
      case 'ignore':
        return done
      case 'wait':
        await this.#pending(request, claim, outcome, signal)
        return done
      case 'deny':
        await this.#write(request, { reason: 'Denied', message: outcome.message }, signal)
        return done
      case 'fail': {
        const { code, message } = outcome
        await this.#write(request, { reason: 'Failed', code, message }, signal)
        notices.failed(request, code, message)
        return done
      }
      case 'sign':
        await this.#issue(request, claim, outcome, signal)
        return done
      case 'lookUp':
        await courier.lookUp(request, outcome, signal)
        return { kind: 'after', ms: 0 }
      case 'swapKey':
        return await courier.swapKey(request, outcome, () => this.#isReady(claim), signal)
      case 'deliver':
        await this.#deliver(request, claim, outcome, signal)
        return done
      default:
        return unreachable(outcome)
    }
  }

  async #issue(
    request: CertificateRequest,
    claim: Claim,
    { decision, signer }: Extract<Outcome, { kind: 'sign' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const certificate = await this.#signatures.certificateFor(request, decision, signer, signal)
    // Suspended while Key Vault signed: an incident stops what is on its way, too.
    if (!this.#isReady(claim)) return
    const message = `signed by ${signer.keyId} with ${signer.authority.algorithm.name}`
    const answer = { chainPem: certificate.chainPem, caPem: signer.bundle.pem }
    await this.#write(request, { reason: 'Issued', message, certificate: answer }, signal)
    this.#signatures.published(request.uid)
  }

  async #deliver(
    request: CertificateRequest,
    claim: Claim,
    delivery: Extract<Outcome, { kind: 'deliver' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { courier, notices } = this.#options
    const { deliverer, name, version } = delivery
    const certificate = await courier.certificateFor(delivery, signal)
    const notes = [...delivery.notes, ...certificate.missing]
    if (!this.#isReady(claim)) return
    const origin = `version ${version.version} of certificate "${name}" in ${deliverer.vaultHost}`
    const message = [`delivered ${origin}`, ...notes].join('; ')
    await this.#write(request, { reason: 'Issued', message, certificate }, signal)
    this.#delivered.add(request.uid)
    courier.delivered(request)
    for (const note of notes) notices.waiting(request, 'NotHonoured', note)
  }

  #isReady({ issuer }: Claim): boolean {
    return this.#options.issuerState(issuer)?.kind === 'ready'
  }

  /** Shows a wait, where it may be shown, when it says something new. */
  async #pending(
    request: CertificateRequest,
    claim: Claim,
    { code, message }: { readonly code: ErrorCode; readonly message: string },
    signal: AbortSignal,
  ): Promise<void> {
    this.#options.notices.waiting(request, code, message)
    const shown = request.ready?.reason === 'Pending' && request.ready.message === message
    if (shown || claim.form === 'ungrouped') return
    await this.#write(request, { reason: 'Pending', code, message }, signal)
  }

  async #write(request: CertificateRequest, answer: Answer, signal: AbortSignal): Promise<void> {
    const { kube, clock, assertLeader, log, onAnswer } = this.#options
    assertLeader()
    const taken = this.#waits.answering(request.uid)
    await writeAnswer(kube, request, answer, clock.now(), signal)
    const { reason } = answer
    onAnswer({
      reason,
      ...('code' in answer && { code: answer.code }),
      ...(reason !== 'Pending' && { waitedMs: taken() }),
    })
    log.info('request answered', {
      uid: request.uid,
      namespace: request.namespace,
      request: request.name,
      reason,
      detail: answer.message,
    })
  }

  /** The object as it is now: gone, another of the same name, or changed under us. */
  async #reread(request: CertificateRequest, signal: AbortSignal): Promise<void> {
    try {
      const path = certificateRequestPath(request)
      const live = parseCertificateRequest(
        await this.#options.kube.request({ method: 'GET', path }, signal),
      )
      if (live?.uid === request.uid) this.observe('updated', live)
      else this.observe('deleted', request)
    } catch (error) {
      if (!(error instanceof IssuerError && error.code === 'KubeNotFound')) throw error
      this.observe('deleted', request)
    }
  }
}

const done: WorkResult = { kind: 'done' }
