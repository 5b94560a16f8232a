import type { ConditionDraft } from '../api/conditions.ts'
import {
  type KubernetesCsr,
  kubernetesCsrKind,
  parseKubernetesCsr,
  signerNameOf,
} from '../api/kubernetes_csr.ts'
import type { Clock } from '../clock.ts'
import type { KubeClient } from '../kube/client.ts'
import { Reflector, type ReflectorEvent } from '../kube/reflector.ts'
import { WorkQueue, type WorkResult } from '../kube/work_queue.ts'
import type { Log } from '../log.ts'
import { jittered, type Random } from '../random.ts'
import { missingCsrRights } from './csr_rights.ts'
import { kubernetesCsrPath } from './csr_status.ts'

export interface CsrWatchOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly onRequest: (type: ReflectorEvent['type'], request: KubernetesCsr) => void
  /** The name of an issuer for whose requests the controller's rights changed. */
  readonly onRights: (issuerName: string) => void
}

interface Following {
  readonly reflector: Reflector<KubernetesCsr>
  readonly stop: AbortController
  /** `undefined` until the rights were looked at. */
  rights: { readonly missing: string | undefined } | undefined
  isWatched: boolean
}

const missingIntervalMs = 15_000
const grantedIntervalMs = 600_000

/**
 * Sees the CertificateSigningRequests of the signers that issuers are: one watch a signer, once the
 * controller has the rights of one, and nothing in a cluster without such issuers.
 */
export class CsrWatch {
  readonly #options: CsrWatchOptions
  readonly #following = new Map<string, Following>()
  readonly #running = new Set<Promise<void>>()
  readonly #queue: WorkQueue

  constructor(options: CsrWatchOptions) {
    this.#options = options
    const { clock, random, log } = options
    this.#queue = new WorkQueue({
      name: 'signer_rights',
      concurrency: 1,
      clock,
      random,
      work: (name, signal) => this.#review(name, signal),
      onError: (issuer, error) =>
        log.warn('the rights of a signer are not known', { issuer, error }),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#queue.run(signal)
    await Promise.all(this.#running)
  }

  get queues(): readonly WorkQueue[] {
    return [this.#queue]
  }

  /** Follows the requests for the signer that the ClusterIssuer `name` is. */
  follow(name: string): void {
    if (this.#following.has(name)) return
    const stop = new AbortController()
    const reflector = this.#reflector(signerNameOf(name), stop.signal)
    this.#following.set(name, { reflector, stop, rights: undefined, isWatched: false })
    this.#queue.add(name)
  }

  unfollow(name: string): void {
    const following = this.#following.get(name)
    if (following === undefined) return
    this.#following.delete(name)
    this.#queue.forget(name)
    following.stop.abort()
    for (const request of following.reflector.values()) this.#options.onRequest('deleted', request)
  }

  /** Looks at the rights again soon, as after the API server refused what it had granted. */
  recheck(name: string): void {
    if (this.#following.has(name)) this.#queue.add(name)
  }

  /** What the controller may not do; `undefined` when it may do all, or nothing is known yet. */
  missingRights(name: string): string | undefined {
    return this.#following.get(name)?.rights?.missing
  }

  /** What the issuer is to show of it. */
  conditions(name: string): readonly ConditionDraft[] {
    const rights = this.#following.get(name)?.rights
    if (rights === undefined) return []
    const type = 'KubernetesCSR'
    if (rights.missing !== undefined) {
      return [{ type, status: 'False', reason: 'RightsMissing', message: rights.missing }]
    }
    const message = `approved ${kubernetesCsrKind}s for ${signerNameOf(name)} are answered`
    return [{ type, status: 'True', reason: 'Watching', message }]
  }

  async #review(name: string, signal: AbortSignal): Promise<WorkResult> {
    const { kube, random, onRights } = this.#options
    const following = this.#following.get(name)
    if (following === undefined) return { kind: 'done' }
    const missing = await missingCsrRights(kube, name, signal)
    const isNews = following.rights === undefined || following.rights.missing !== missing
    following.rights = { missing }
    if (missing === undefined && !following.isWatched) this.#start(following, signal)
    if (isNews && !following.stop.signal.aborted) onRights(name)
    const ms = missing === undefined ? grantedIntervalMs : missingIntervalMs
    return { kind: 'after', ms: jittered(ms, 0.2, random) }
  }

  #start(following: Following, signal: AbortSignal): void {
    following.isWatched = true
    const running = following.reflector
      .run(AbortSignal.any([signal, following.stop.signal]))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  #reflector(signerName: string, stop: AbortSignal): Reflector<KubernetesCsr> {
    const { kube, clock, random, log, onRequest } = this.#options
    return new Reflector({
      client: kube,
      path: kubernetesCsrPath(),
      fieldSelector: `spec.signerName=${signerName}`,
      parse: (object) => {
        const request = parseKubernetesCsr(object)
        return request?.signerName === signerName ? request : undefined
      },
      clock,
      random,
      log,
      onEvent: ({ type, object }) => {
        if (!stop.aborted) onRequest(type, object)
      },
    })
  }
}
