import type { ConditionDraft } from '../api/conditions.ts'
import { type Issuer, issuerKey, parseIssuer } from '../api/issuer.ts'
import { group, issuerKinds, pluralByKind, version } from '../api/names.ts'
import type { Clock } from '../clock.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/events.ts'
import { Reflector } from '../kube/reflector.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { WorkQueue, type WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import { jittered, type Random } from '../random.ts'
import {
  type IssuerState,
  isSameDeliverer,
  isSameNext,
  isSameSigner,
  type ReadyState,
} from './issuer_state.ts'
import { type CertificatesKnown, statusToWrite, writeIssuerStatus } from './issuer_status.ts'
import { tellChanges } from './issuer_telling.ts'
import { type ProbeDeps, probeIssuer } from './probe.ts'

export interface IssuerControllerOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly events: EventRecorder
  readonly probe: ProbeDeps
  /** Time between two probes of an issuer that is ready, in milliseconds. */
  readonly probeIntervalMs: number
  readonly certificates: (key: string) => CertificatesKnown
  /** Conditions that others have to say of an issuer. */
  readonly conditions: (key: string) => readonly ConditionDraft[]
  /** Throws `LeaseLost` when another replica may be at work. */
  readonly assertLeader: () => void
  /** Told when what is known of an issuer changed: its requests are looked at again. */
  readonly onChange: (key: string, issuer: Issuer | undefined) => void
  /** Told once, when it is known which issuers there are: the others' requests are looked at again. */
  readonly onSynced: () => void
}

/**
 * A broken issuer is probed at least this often, besides on each change of it: Azure tells us
 * nothing.
 */
const brokenIntervalMs = 60_000
const probesAtOnce = 4
/** Many Certificates that change one after the other are told in one write. */
const refreshMs = 1_000

/** Keeps what is known of every issuer true: by watching them, and by probing the vault behind. */
export class IssuerController {
  readonly #options: IssuerControllerOptions
  readonly #queue: WorkQueue
  /** Issuers whose status is to be written again, with no new proof. */
  readonly #shows: WorkQueue
  readonly #reflectors: ReadonlyArray<Reflector<Issuer>>
  readonly #issuers = new Map<string, Issuer>()
  readonly #states = new Map<string, IssuerState>()
  /** When a probe last succeeded, by the monotonic clock. */
  readonly #provenAt = new Map<string, number>()

  constructor(options: IssuerControllerOptions) {
    this.#options = options
    const { kube, clock, random, log } = options
    this.#queue = new WorkQueue({
      name: 'issuers',
      concurrency: probesAtOnce,
      clock,
      random,
      work: (key, signal) => this.#reconcile(key, signal),
      onError: (key, error) => log.error('probing an issuer failed', { issuer: key, error }),
    })
    this.#shows = new WorkQueue({
      name: 'issuer_status',
      concurrency: probesAtOnce,
      clock,
      random,
      work: (key, signal) => this.#show(key, signal),
      onError: (key, error) => log.warn('writing the status failed', { issuer: key, error }),
    })
    this.#reflectors = issuerKinds.map(
      (kind) =>
        new Reflector<Issuer>({
          client: kube,
          path: resourcePath({ group, version, resource: pluralByKind[kind] }),
          parse: (object) => parseIssuer(kind, object),
          clock,
          random,
          log,
          onEvent: ({ type, object }) => this.#observe(type, object),
          onSynced: () => {
            if (this.synced) options.onSynced()
          },
        }),
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      ...this.#reflectors.map((reflector) => reflector.run(signal)),
      this.#queue.run(signal),
      this.#shows.run(signal),
    ])
  }

  get queues(): readonly WorkQueue[] {
    return [this.#queue, this.#shows]
  }

  get synced(): boolean {
    return this.#reflectors.every((reflector) => reflector.synced)
  }

  /** `undefined` when there is no such issuer. */
  state(key: string): IssuerState | undefined {
    // Before all were listed, one that was not seen may be there all the same.
    if (this.synced && !this.#issuers.has(key)) return undefined
    return this.#states.get(key) ?? { kind: 'unknown' }
  }

  issuer(key: string): Issuer | undefined {
    return this.#issuers.get(key)
  }

  keys(): Iterable<string> {
    return this.#issuers.keys()
  }

  /** Probes an issuer soon, as after Key Vault refused a signature. */
  recheck(key: string): void {
    this.#queue.add(key)
  }

  /** Has the status of an issuer say what is known of its Certificates by now. */
  refresh(key: string): void {
    this.#shows.addAfter(key, refreshMs)
  }

  #observe(type: 'added' | 'updated' | 'deleted', issuer: Issuer): void {
    const key = issuerKey(issuer)
    if (type === 'deleted') {
      this.#issuers.delete(key)
      this.#states.delete(key)
      this.#provenAt.delete(key)
      this.#options.onChange(key, undefined)
      return
    }
    const known = this.#issuers.get(key)
    this.#issuers.set(key, issuer)
    // Our own status writes come back as updates of the same generation.
    if (known?.uid === issuer.uid && known.generation === issuer.generation) return
    this.#states.delete(key)
    this.#options.onChange(key, issuer)
    this.#queue.add(key)
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const issuer = this.#issuers.get(key)
    if (issuer === undefined) return { kind: 'done' }
    const { state, next } = await this.#probe(issuer, signal)
    const current = this.#issuers.get(key)
    // Changed while it was probed: what was found is of another spec, and it is queued again.
    if (current?.uid !== issuer.uid || current.generation !== issuer.generation) return done
    this.#options.assertLeader()
    this.#publish(key, current, state)
    return (await this.#write(current, state, signal)) ? next : soon
  }

  async #show(key: string, signal: AbortSignal): Promise<WorkResult> {
    const issuer = this.#issuers.get(key)
    const state = this.#states.get(key)
    if (issuer === undefined || state === undefined || state.kind === 'unknown') return done
    this.#options.assertLeader()
    return (await this.#write(issuer, state, signal)) ? done : soon
  }

  async #probe(
    issuer: Issuer,
    signal: AbortSignal,
  ): Promise<{ state: Exclude<IssuerState, { kind: 'unknown' }>; next: WorkResult }> {
    const { probe, clock, random, assertLeader, probeIntervalMs, log } = this.#options
    try {
      if (issuer.spec instanceof IssuerError) throw issuer.spec
      if (issuer.spec.suspend) return { state: { kind: 'suspended' }, next: done }
      assertLeader()
      const state = await probeIssuer(issuer, issuer.spec, probe, this.#ready(issuer), signal)
      this.#provenAt.set(issuerKey(issuer), clock.monotonic())
      const isWhole = state.mode !== 'sign' || state.next?.kind !== 'broken'
      const interval = isWhole ? probeIntervalMs : Math.min(brokenIntervalMs, probeIntervalMs)
      const next = { kind: 'after', ms: jittered(interval, 0.2, random) } as const
      return { state, next }
    } catch (thrown) {
      signal.throwIfAborted()
      const error = issuerErrorFrom(thrown)
      if (error.retry === 'stop') throw error
      if (error.code === 'Internal')
        log.error('probing failed', { issuer: issuerKey(issuer), error })
      const state = this.#proven(issuer, error) ?? notReady(error)
      const next: WorkResult =
        error.retry === 'backoff'
          ? {
              kind: 'retry',
              ...(error.retryAfterMs !== undefined && { afterMs: error.retryAfterMs }),
            }
          : {
              kind: 'after',
              ms: jittered(Math.min(brokenIntervalMs, probeIntervalMs), 0.2, random),
            }
      return { state, next }
    }
  }

  /**
   * The state to stay in when a proven issuer meets passing trouble. Turning it unready would hold
   * up requests that a throttled vault still answers; their own errors tell of the trouble.
   */
  #proven(issuer: Issuer, error: IssuerError): ReadyState | undefined {
    const since = this.#options.clock.monotonic() - (this.#provenAt.get(issuerKey(issuer)) ?? 0)
    const keep = error.retry === 'backoff' && since < 2 * this.#options.probeIntervalMs
    return keep ? this.#ready(issuer) : undefined
  }

  #ready(issuer: Issuer): ReadyState | undefined {
    const state = this.#states.get(issuerKey(issuer))
    return state?.kind === 'ready' ? state : undefined
  }

  #publish(key: string, issuer: Issuer, state: IssuerState): void {
    const before = this.#states.get(key)
    if (before !== undefined && isSameState(before, state)) return
    this.#states.set(key, state)
    this.#options.onChange(key, issuer)
  }

  /** @returns false where the issuer changed: the watch is about to bring the version to write on */
  async #write(
    issuer: Issuer,
    state: Exclude<IssuerState, { kind: 'unknown' }>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { kube, clock, events, log, certificates, conditions } = this.#options
    const key = issuerKey(issuer)
    const status = statusToWrite(issuer, state, clock.now(), certificates(key), conditions(key))
    if (status === undefined) return true
    try {
      await writeIssuerStatus(kube, issuer, status, signal)
    } catch (error) {
      if (error instanceof IssuerError && error.code === 'KubeConflict') return false
      throw error
    }
    tellChanges(issuer, status.conditions, events, log)
    return true
  }
}

function isSameState(a: IssuerState, b: IssuerState): boolean {
  if (a.kind === 'ready') return b.kind === 'ready' && isSameReady(a, b)
  if (a.kind === 'not-ready') return b.kind === 'not-ready' && a.message === b.message
  return a.kind === b.kind
}

function isSameReady(a: ReadyState, b: ReadyState): boolean {
  return a.mode === 'sign'
    ? b.mode === 'sign' && isSameSigner(a.signer, b.signer) && isSameNext(a.next, b.next)
    : b.mode === 'deliver' && isSameDeliverer(a.deliverer, b.deliverer)
}

function notReady({ code, message }: IssuerError): Extract<IssuerState, { kind: 'not-ready' }> {
  return { kind: 'not-ready', code, message }
}

const done: WorkResult = { kind: 'done' }
const soon: WorkResult = { kind: 'after', ms: 250 }
