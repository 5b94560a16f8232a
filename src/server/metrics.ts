import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { NoticeOutcome } from '../event_grid/webhook.ts'
import type { AcceptedAnswer } from '../issuance/outcome.ts'
import { type Observed, type RequestKind, registerGauges } from './gauges.ts'

/** What is measured of an issuer that was looked at. */
export interface IssuerGauges {
  readonly ready: boolean
  readonly expiries: readonly {
    /** Subject of a CA, or the name of a Key Vault certificate. */
    readonly certificate: string
    /** Milliseconds since the epoch. */
    readonly notAfter: number
  }[]
}

/** What the controller counts. Labels come from closed sets or from the issuers' own specs. */
export class Metrics {
  readonly registry = new Registry()
  readonly #answers: Counter<'kind' | 'reason' | 'code'>
  readonly #answerSeconds: Histogram<'kind' | 'reason'>
  readonly #vaultSeconds: Histogram<'host' | 'operation' | 'outcome'>
  readonly #kubeSeconds: Histogram<'verb' | 'resource' | 'status'>
  readonly #issuerReady: Gauge<'issuer'>
  readonly #notAfter: Gauge<'issuer' | 'certificate'>
  /** By issuer, the `certificate` labels that stand. */
  readonly #certificatesOf = new Map<string, readonly string[]>()
  readonly #behind: Gauge<'issuer'>
  readonly #rotations: Counter
  readonly #swaps: Counter
  readonly #notices: Counter<'outcome'>
  readonly #reissues: Counter
  readonly #rollover: Gauge<'issuer' | 'state'>

  constructor(observed: Observed) {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    registerGauges(this.registry, observed)
    this.#answers = new Counter({
      name: 'akv_issuer_answers_total',
      help: 'Answers that the API server accepted; the code tells why one is Pending or Failed.',
      labelNames: ['kind', 'reason', 'code'],
      registers,
    })
    this.#answerSeconds = new Histogram({
      name: 'akv_issuer_answer_seconds',
      help: 'From the approval of a request to the last word on it, accepted by the API server.',
      labelNames: ['kind', 'reason'],
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600],
      registers,
    })
    this.#vaultSeconds = new Histogram({
      name: 'akv_issuer_vault_call_seconds',
      help: 'Calls to Key Vault, waiting for a place among the calls in flight not counted.',
      labelNames: ['host', 'operation', 'outcome'],
      buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
      registers,
    })
    this.#kubeSeconds = new Histogram({
      name: 'akv_issuer_kube_call_seconds',
      help: 'Calls to the API server until the headers of the answer; status 0 is no answer.',
      labelNames: ['verb', 'resource', 'status'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers,
    })
    this.#issuerReady = new Gauge({
      name: 'akv_issuer_issuer_ready',
      help: '1 when the issuer was proven able to sign, 0 when not.',
      labelNames: ['issuer'],
      registers,
    })
    this.#notAfter = new Gauge({
      name: 'akv_issuer_not_after_timestamp_seconds',
      help: 'When the certificate of the CA that signs, or a certificate that is delivered, expires.',
      labelNames: ['issuer', 'certificate'],
      registers,
    })
    this.#behind = new Gauge({
      name: 'akv_issuer_certificates_behind',
      help: 'Certificates that the newest version in Key Vault does not fit, by issuer.',
      labelNames: ['issuer'],
      registers,
    })
    this.#rotations = new Counter({
      name: 'akv_issuer_rotations_total',
      help: 'Issuances asked for because Key Vault has a new version.',
      registers,
    })
    this.#swaps = new Counter({
      name: 'akv_issuer_key_swaps_total',
      help: 'Keys from Key Vault put where cert-manager takes the key of the next certificate.',
      registers,
    })
    this.#notices = new Counter({
      name: 'akv_issuer_notices_total',
      help: 'Requests of Event Grid that were refused or failed, and the events of the others.',
      labelNames: ['outcome'],
      registers,
    })
    this.#reissues = new Counter({
      name: 'akv_issuer_reissues_total',
      help: 'Issuances asked for because the CA or the roots of an issuer changed.',
      registers,
    })
    this.#rollover = new Gauge({
      name: 'akv_issuer_rollover_certificates',
      help: 'In a CA rollover the Certificates of an issuer: all, and those that have what it would give now, failed, or cannot be told for want of their request.',
      labelNames: ['issuer', 'state'],
      registers,
    })
  }

  answered(kind: RequestKind, { reason, code, waitedMs }: AcceptedAnswer): void {
    this.#answers.inc({ kind, reason, code: code ?? '' })
    if (waitedMs !== undefined) this.#answerSeconds.observe({ kind, reason }, waitedMs / 1000)
  }

  vaultCall(call: {
    readonly host: string
    readonly operation: string
    readonly outcome: string
    readonly ms: number
  }): void {
    const { host, operation, outcome, ms } = call
    this.#vaultSeconds.observe({ host, operation, outcome }, ms / 1000)
  }

  kubeCall(call: {
    readonly verb: string
    readonly resource: string
    readonly status: number
    readonly ms: number
  }): void {
    const { verb, resource, status, ms } = call
    this.#kubeSeconds.observe({ verb, resource, status }, ms / 1000)
  }

  /** `undefined`: the issuer is gone, or was not looked at yet. */
  issuer(issuer: string, gauges: IssuerGauges | undefined): void {
    if (gauges === undefined) this.#issuerReady.remove({ issuer })
    else this.#issuerReady.set({ issuer }, gauges.ready ? 1 : 0)
    // What an issuer that is not ready had is no nearer to its end than it was.
    if (gauges?.ready === false) return
    for (const certificate of this.#certificatesOf.get(issuer) ?? []) {
      this.#notAfter.remove({ issuer, certificate })
    }
    this.#certificatesOf.delete(issuer)
    for (const { certificate, notAfter } of gauges?.expiries ?? []) {
      this.#notAfter.set({ issuer, certificate }, notAfter / 1000)
    }
    if (gauges) {
      const names = gauges.expiries.map(({ certificate }) => certificate)
      this.#certificatesOf.set(issuer, names)
    }
  }

  /** 0 once the issuer is gone, too. */
  certificatesBehind(issuer: string, count: number): void {
    if (count === 0) this.#behind.remove({ issuer })
    else this.#behind.set({ issuer }, count)
  }

  /** `undefined`: there is no rollover, or nothing is known of it. */
  rollover(issuer: string, counts: Readonly<Record<RolloverState, number>> | undefined): void {
    for (const state of rolloverStates) {
      if (counts === undefined) this.#rollover.remove({ issuer, state })
      else this.#rollover.set({ issuer, state }, counts[state])
    }
  }

  reissued(): void {
    this.#reissues.inc()
  }

  rotated(): void {
    this.#rotations.inc()
  }

  keySwapped(): void {
    this.#swaps.inc()
  }

  notice(outcome: NoticeOutcome, count: number): void {
    this.#notices.inc({ outcome }, count)
  }
}

const rolloverStates = ['total', 'current', 'failed', 'unknown'] as const
type RolloverState = (typeof rolloverStates)[number]
