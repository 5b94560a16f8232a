import { issuerKey } from '../api/issuer.ts'
import {
  isClosed,
  type KubernetesCsr,
  kubernetesCsrApiVersion,
  kubernetesCsrKind,
  parseKubernetesCsr,
  signerDomain,
} from '../api/kubernetes_csr.ts'
import type { Clock } from '../clock.ts'
import { IssuerError, unreachable } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRegarding } from '../kube/events.ts'
import type { WorkQueue, WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import { serialLength } from '../pki/template.ts'
import type { Random } from '../random.ts'
import { type CsrAnswer, kubernetesCsrPath, writeCsrAnswer } from './csr_status.ts'
import { type CsrOutcome, decideCsr } from './decide_csr.ts'
import type { IssuerState } from './issuer_state.ts'
import { KeptSignatures } from './kept_signatures.ts'
import type { Notices } from './notices.ts'
import type { AcceptedAnswer } from './outcome.ts'
import { RequestLoop } from './request_loop.ts'
import { type Wait, Waits } from './waits.ts'

export interface CsrControllerOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly notices: Notices<KubernetesCsr>
  /** Requests of one vault worked on at once; those waiting for its answer count. */
  readonly concurrency: number
  /** Throws `LeaseLost` when another replica may be at work. */
  readonly assertLeader: () => void
  readonly issuerState: (key: string) => IssuerState | undefined
  /** What the controller may not do of what the issuer's signer takes. */
  readonly missingRights: (issuerName: string) => string | undefined
  /** Asks for a look at issuer and rights: something was refused that had been granted. */
  readonly recheckIssuer: (issuerName: string) => void
  readonly onAnswer: (answer: AcceptedAnswer) => void
}

/**
 * The life of a CertificateSigningRequest of certificates.k8s.io from approval to answer. Its status
 * can only hold the last word, so waiting is told by Events.
 */
export class CsrController {
  readonly #options: CsrControllerOptions
  readonly #loop: RequestLoop<KubernetesCsr>
  /** Those without an answer, by UID. */
  readonly #open = new Map<string, KubernetesCsr>()
  readonly #signatures: KeptSignatures
  readonly #waits: Waits

  constructor(options: CsrControllerOptions) {
    this.#options = options
    const { clock, random, log, concurrency, assertLeader, issuerState, notices } = options
    this.#signatures = new KeptSignatures(assertLeader, log)
    this.#waits = new Waits(clock)
    this.#loop = new RequestLoop({
      clock,
      random,
      log,
      name: 'kubernetes_csrs',
      concurrency,
      waits: this.#waits,
      find: (uid) => this.#open.get(uid),
      issuerState: (request) => issuerState(keyOf(request)),
      answer: (request, signal) => this.#answer(request, signal),
      reread: (request, signal) => this.#reread(request, signal),
      gone: ({ uid }) => this.#forget(uid),
      tell: async (request, { code, message }) => notices.waiting(request, code, message),
      recheckIssuer: (request) => options.recheckIssuer(issuerNameOf(request)),
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

  /** What a watch saw. */
  observe(type: 'added' | 'updated' | 'deleted', request: KubernetesCsr): void {
    const { uid } = request
    if (type === 'deleted' || isClosed(request)) {
      this.#forget(uid)
      return
    }
    this.#waits.seen(request)
    const known = this.#open.get(uid)
    this.#open.set(uid, request)
    if (known === undefined || !sameVerdict(known, request)) this.#loop.add(uid)
  }

  /** Looks at the open requests of an issuer again. */
  wake(issuerName: string): void {
    for (const [uid, request] of this.#open) {
      if (issuerNameOf(request) === issuerName) this.#loop.add(uid)
    }
  }

  #forget(uid: string): void {
    this.#open.delete(uid)
    this.#signatures.forget(uid)
    this.#loop.forget(uid)
    this.#waits.forget(uid)
    this.#options.notices.forget(uid)
  }

  async #answer(request: KubernetesCsr, signal: AbortSignal): Promise<WorkResult> {
    if (this.#signatures.isPublished(request.uid)) return done
    const { clock, random, issuerState, missingRights } = this.#options
    const key = keyOf(request)
    const outcome = decideCsr({
      request,
      issuerKey: key,
      issuer: issuerState(key),
      missingRights: missingRights(issuerNameOf(request)),
      now: clock.now(),
      serialBytes: random.bytes(serialLength),
    })
    this.#waits.decided(request.uid, outcome)
    await this.#carryOut(outcome, request, signal)
    return done
  }

  async #carryOut(outcome: CsrOutcome, request: KubernetesCsr, signal: AbortSignal): Promise<void> {
    const { notices } = this.#options
    switch (outcome.kind) {
      case 'ignore':
        return
      case 'wait':
        notices.waiting(request, outcome.code, outcome.message)
        return
      case 'fail': {
        const { code, message } = outcome
        await this.#write(request, { kind: 'Failed', code, message }, message, signal)
        notices.failed(request, code, message)
        return
      }
      case 'sign':
        await this.#issue(request, outcome, signal)
        return
      default:
        unreachable(outcome)
    }
  }

  async #issue(
    request: KubernetesCsr,
    { decision, signer }: Extract<CsrOutcome, { kind: 'sign' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const certificate = await this.#signatures.certificateFor(request, decision, signer, signal)
    // Suspended while Key Vault signed: an incident stops what is on its way, too.
    if (this.#options.issuerState(keyOf(request))?.kind !== 'ready') return
    const message = `signed by ${signer.keyId} with ${signer.authority.algorithm.name}`
    await this.#write(request, { kind: 'Issued', certificate }, message, signal)
    this.#signatures.published(request.uid)
  }

  async #write(
    request: KubernetesCsr,
    answer: CsrAnswer,
    detail: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { kube, clock, assertLeader, log, onAnswer } = this.#options
    assertLeader()
    const taken = this.#waits.answering(request.uid)
    await writeCsrAnswer(kube, request, answer, clock.now(), signal)
    onAnswer({
      reason: answer.kind,
      ...(answer.kind === 'Failed' && { code: answer.code }),
      waitedMs: taken(),
    })
    const { uid, name, signerName } = request
    log.info('request answered', { uid, request: name, signerName, reason: answer.kind, detail })
  }

  /** The object as it is now: gone, another of the same name, or changed under us. */
  async #reread(request: KubernetesCsr, signal: AbortSignal): Promise<void> {
    try {
      const path = kubernetesCsrPath(request.name)
      const live = parseKubernetesCsr(
        await this.#options.kube.request({ method: 'GET', path }, signal),
      )
      if (live?.uid === request.uid) this.observe('updated', live)
      else this.#forget(request.uid)
    } catch (error) {
      if (!(error instanceof IssuerError && error.code === 'KubeNotFound')) throw error
      this.#forget(request.uid)
    }
  }
}

/** For Events. */
export function aboutKubernetesCsr({ name, uid }: KubernetesCsr): readonly EventRegarding[] {
  return [{ apiVersion: kubernetesCsrApiVersion, kind: kubernetesCsrKind, name, uid }]
}

function issuerNameOf({ signerName }: KubernetesCsr): string {
  return signerName.slice(signerDomain.length + 1)
}

function keyOf(request: KubernetesCsr): string {
  return issuerKey({ kind: 'ClusterIssuer', namespace: '', name: issuerNameOf(request) })
}

/** Whether approvers say the same of both; the spec of a request cannot change. */
function sameVerdict(one: KubernetesCsr, other: KubernetesCsr): boolean {
  return (['approved', 'denied'] as const).every(
    (verdict) => (one[verdict] === undefined) === (other[verdict] === undefined),
  )
}

const done: WorkResult = { kind: 'done' }
