import { hostname, uptime } from 'node:os'
import type { Clock } from '../clock.ts'
import { IssuerError, invariant, issuerErrorFrom } from '../error.ts'
import { isObject, type JsonObject, objectAt } from '../json.ts'
import type { Log } from '../log.ts'
import { jittered, type Random } from '../random.ts'
import type { KubeClient, KubeRequest } from './client.ts'
import { decideLease, type ObservedLease, observeLease, parseLease } from './lease_decision.ts'
import { microTime } from './micro_time.ts'
import { resourcePath } from './resource_path.ts'

export interface LeaseElectionOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly name: string
  /** Of this process, and of no other ever. Default: the host's name and a random part. */
  readonly identity?: string
  readonly clock: Clock
  /**
   * Milliseconds since the machine started, times of suspension included: a monotonic clock stands
   * still in them. Default: the system's.
   */
  readonly uptime?: () => number
  readonly random: Random
  readonly log: Log
  /**
   * How long others leave an unrenewed lease alone. Default 13,000: with `pollMs` a killed leader is
   * followed within 15 s.
   */
  readonly leaseMs?: number
  /** A leader that could not renew for this long gives up. Below `leaseMs`; default 10,000. */
  readonly renewDeadlineMs?: number
  /** Default 2,000. */
  readonly renewEveryMs?: number
  /** How often a candidate looks: a lease given back is taken within this. Default 1,000. */
  readonly pollMs?: number
}

/** One leader among replicas, by a Lease of coordination.k8s.io. */
export class LeaseElection {
  readonly identity: string
  readonly #options: LeaseElectionOptions
  readonly #times: Times
  readonly #collection: string
  readonly #path: string
  #observed: ObservedLease | undefined
  /** The Lease as last read or written, for its other fields. */
  #object: JsonObject = {}
  /** Whether `#observed` may be behind the server. */
  #stale = true
  /** Whether the server may have us as holder. */
  #mayHold = false
  /** Start of the last renewal that succeeded; undefined when not leading. */
  #renewedAt: Moment | undefined

  constructor(options: LeaseElectionOptions) {
    const { namespace, name, random } = options
    const suffix = Buffer.from(random.bytes(8)).toString('hex')
    const at = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', namespace }
    this.#options = options
    const { leaseMs = 13_000, renewDeadlineMs = 10_000 } = options
    const { renewEveryMs = 2_000, pollMs = 1_000 } = options
    this.#times = { leaseMs, renewDeadlineMs, renewEveryMs, pollMs }
    this.#collection = resourcePath(at)
    this.#path = resourcePath({ ...at, name })
    this.identity = options.identity ?? `${hostname()}_${suffix}`
    invariant(
      renewDeadlineMs < leaseMs,
      'the renew deadline of a lease must be shorter than the lease',
    )
  }

  /**
   * Throws `LeaseLost` unless no other replica can have the lease now. To be called right before each
   * write and each call to a vault: after the process was stopped (SIGSTOP, a suspended machine) time
   * has passed that no timer has told of yet.
   */
  assertHeld(): void {
    const { leaseMs } = this.#times
    if (this.#renewedAt === undefined) throw this.#lost('this replica does not hold it')
    const age = this.#since(this.#renewedAt)
    if (age < leaseMs) return
    throw this.#lost(`last renewed ${Math.round(age)} ms ago, and it is valid for ${leaseMs} ms`)
  }

  /**
   * Waits for the lease, then calls `lead` with a signal that is aborted on a stop or at once when the
   * lease is lost. Renews until `lead` has settled, then gives the lease back.
   *
   * Resolves on a stop, or when `lead` ends by itself; rejects with what `lead` throws, and with
   * `LeaseLost` after a loss. It may be run again then.
   */
  async run(signal: AbortSignal, lead: (leadSignal: AbortSignal) => Promise<void>): Promise<void> {
    const { log, namespace, name } = this.#options
    const lost = new AbortController()
    const settled = new AbortController()
    try {
      if (!(await this.#acquire(signal))) return
      log.info('lease taken', { namespace, name, identity: this.identity })
      const renewing = this.#keep(settled.signal, lost)
      try {
        await lead(AbortSignal.any([signal, lost.signal]))
      } finally {
        settled.abort()
        await renewing
      }
    } finally {
      this.#renewedAt = undefined
      await this.#release()
    }
    if (lost.signal.aborted) throw lost.signal.reason
  }

  /** True when the lease is ours, false on a stop. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, random, log, namespace, name } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      let waitMs = jittered(this.#times.pollMs, 0.2, random)
      try {
        const left = await this.#within(this.#times.renewDeadlineMs, signal, (bounded) =>
          this.#attempt('candidate', bounded),
        )
        if (left === 0) return true
        failures = 0
        waitMs = Math.min(waitMs, left)
      } catch (thrown) {
        const error = issuerErrorFrom(thrown)
        if (!signal.aborted && error.retry !== 'conflict' && isPowerOfTwo(++failures)) {
          log.warn('the lease could not be taken', { namespace, name, failures, error })
        }
      }
      await clock.sleep(waitMs, signal).catch(() => undefined)
    }
    return false
  }

  /** Renews until `settled`, or aborts `lost`. Never rejects. */
  async #keep(settled: AbortSignal, lost: AbortController): Promise<void> {
    const { clock, random, log, namespace, name } = this.#options
    const { renewEveryMs, renewDeadlineMs } = this.#times
    const left = () =>
      this.#renewedAt === undefined ? 0 : renewDeadlineMs - this.#since(this.#renewedAt)
    for (let waitMs = renewEveryMs; ; ) {
      await clock.sleep(Math.min(waitMs, Math.max(0, left())), settled).catch(() => undefined)
      if (settled.aborted) return
      waitMs = jittered(renewEveryMs, 0.2, random)
      try {
        if (left() <= 0) throw this.#lost(`it could not be renewed for ${renewDeadlineMs} ms`)
        await this.#within(left(), settled, (bounded) => this.#attempt('leader', bounded))
      } catch (thrown) {
        if (settled.aborted) return
        const error = issuerErrorFrom(thrown)
        log.warn('the lease was not renewed', { namespace, name, error })
        // Somebody wrote to it, or our last write came through without its answer: look at once.
        if (error.retry === 'conflict' || error.code === 'KubeNotFound') waitMs = 0
        if (error.code !== 'LeaseLost') continue
        this.#renewedAt = undefined
        lost.abort(error)
        return
      }
    }
  }

  /** Takes or renews the lease: 0 when it is ours now, else the milliseconds that are left of it. */
  async #attempt(role: 'candidate' | 'leader', signal: AbortSignal): Promise<number> {
    const { clock } = this.#options
    const started = this.#now()
    if (role === 'candidate' || this.#stale) await this.#read(signal)
    const holder = this.#observed?.record.holder
    if (role === 'leader' && holder !== undefined && holder !== this.identity) {
      throw this.#lost(`${holder === '' ? 'nobody' : JSON.stringify(holder)} holds it now`)
    }
    const decision = decideLease(this.#observed, this.identity, clock.monotonic())
    if (decision.kind === 'wait') return decision.ms
    const transitions = decision.kind === 'take' ? decision.transitions : 0
    this.#mayHold = true
    await this.#write(this.identity, transitions, signal)
    this.#renewedAt = started
    return 0
  }

  async #read(signal: AbortSignal): Promise<void> {
    try {
      this.#see(await this.#request({ method: 'GET', path: this.#path }, signal))
    } catch (thrown) {
      if (issuerErrorFrom(thrown).code !== 'KubeNotFound') throw thrown
      this.#observed = undefined
      this.#object = {}
      this.#stale = false
    }
  }

  /** Writes over exactly the version that was seen. */
  async #write(holder: string, transitions: number, signal: AbortSignal): Promise<void> {
    const { namespace, name, clock } = this.#options
    const now = microTime(clock.now())
    const before = this.#observed
    const taken = before?.record.holder !== holder && holder !== ''
    const body = {
      ...this.#object,
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...objectAt(this.#object, 'metadata'), namespace, name },
      spec: {
        ...objectAt(this.#object, 'spec'),
        holderIdentity: holder,
        leaseDurationSeconds: Math.ceil(this.#times.leaseMs / 1000),
        leaseTransitions: transitions,
        renewTime: now,
        ...(taken && { acquireTime: now }),
      },
    }
    this.#stale = true
    this.#see(
      await this.#request(
        before === undefined
          ? { method: 'POST', path: this.#collection, body }
          : { method: 'PUT', path: this.#path, body },
        signal,
      ),
    )
  }

  #see(answer: unknown): void {
    const object = isObject(answer) ? answer : {}
    const record = parseLease(object, this.#times.leaseMs)
    if (record === undefined) {
      throw new IssuerError('KubeUnavailable', `the API server gave no Lease for ${this.#path}`)
    }
    this.#observed = observeLease(this.#observed, record, this.#options.clock.monotonic())
    this.#object = object
    this.#stale = false
  }

  /** Gives the lease back if it is ours, so that the next leader need not wait. Never rejects. */
  async #release(): Promise<void> {
    const { log, namespace, name } = this.#options
    if (!this.#mayHold) return
    try {
      await this.#within(releaseMs, new AbortController().signal, async (bounded) => {
        // Once more when a renewal that was broken off came through in between.
        for (let tries = 0; tries < 2; tries++) {
          await this.#read(bounded)
          const record = this.#observed?.record
          if (record?.holder !== this.identity) return
          const done = await this.#write('', record.transitions, bounded).then(
            () => true,
            (thrown: unknown) => {
              if (issuerErrorFrom(thrown).retry !== 'conflict') throw thrown
              return false
            },
          )
          if (done) return
        }
      })
      this.#mayHold = false
    } catch (thrown) {
      const error = issuerErrorFrom(thrown)
      log.warn('the lease could not be given back; it runs out', { namespace, name, error })
    }
  }

  #now(): Moment {
    const { clock, uptime: sinceBoot = systemUptime } = this.#options
    return { monotonic: clock.monotonic(), uptime: sinceBoot() }
  }

  #since(then: Moment): number {
    const now = this.#now()
    return Math.max(now.monotonic - then.monotonic, now.uptime - then.uptime)
  }

  async #request(request: KubeRequest, signal: AbortSignal): Promise<unknown> {
    return await this.#options.client.request({ ...request, timeoutMs: callTimeoutMs }, signal)
  }

  async #within<T>(
    ms: number,
    signal: AbortSignal,
    act: (bounded: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = new AbortController()
    const cancel = this.#options.clock.after(ms, () => limit.abort())
    try {
      return await act(AbortSignal.any([signal, limit.signal]))
    } finally {
      cancel()
    }
  }

  #lost(why: string): IssuerError {
    const { namespace, name } = this.#options
    return new IssuerError('LeaseLost', `the lease ${namespace}/${name} is not ours: ${why}`)
  }
}

interface Moment {
  readonly monotonic: number
  readonly uptime: number
}

type Times = Required<
  Pick<LeaseElectionOptions, 'leaseMs' | 'renewDeadlineMs' | 'renewEveryMs' | 'pollMs'>
>

function systemUptime(): number {
  return uptime() * 1_000
}

function isPowerOfTwo(count: number): boolean {
  return Number.isInteger(Math.log2(count))
}

const callTimeoutMs = 5_000
const releaseMs = 2_000
