import type { ConditionDraft } from '../api/conditions.ts'
import {
  type KubernetesCsr,
  kubernetesCsrKind,
  parseKubernetesCsr,
  signerNameOf,
} from '../api/kubernetes_csr.ts'
import type { Clock } from '../clock.ts'
import type { KubeClient } from '../kube/client.ts'
import type { ReflectorEvent } from '../kube/reflector.ts'
import { type Followed, ReflectorSet } from '../kube/reflector_set.ts'
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

/** What is known of the rights for one signer; nothing until they were looked at. */
interface Rights {
  known: { readonly missing: string | undefined } | undefined
}

const missingIntervalMs = 15_000
const grantedIntervalMs = 600_000

/**
 * Sees the CertificateSigningRequests of the signers that issuers are: one watch a signer, once the
 * controller has the rights of one, and nothing in a cluster without such issuers.
 */
export class CsrWatch {
  readonly #options: CsrWatchOptions
  /** By the name of an issuer that is followed. */
  readonly #rights = new Map<string, Rights>()
  readonly #requests: ReflectorSet<KubernetesCsr>
  readonly #queue: WorkQueue

  constructor(options: CsrWatchOptions) {
    this.#options = options
    const { kube, clock, random, log, onRequest } = options
    this.#requests = new ReflectorSet({ kube, clock, random, log, onEvent: onRequest })
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
    await Promise.all([this.#queue.run(signal), this.#requests.run(signal)])
  }

  get queues(): readonly WorkQueue[] {
    return [this.#queue]
  }

  /** Follows the requests for the signer that the ClusterIssuer `name` is. */
  follow(name: string): void {
    if (this.#rights.has(name)) return
    this.#rights.set(name, { known: undefined })
    this.#queue.add(name)
  }

  unfollow(name: string): void {
    if (!this.#rights.delete(name)) return
    this.#queue.forget(name)
    this.#requests.unfollow(name)
  }

  /** Looks at the rights again soon, as after the API server refused what it had granted. */
  recheck(name: string): void {
    if (this.#rights.has(name)) this.#queue.add(name)
  }

  /** What the controller may not do; `undefined` when it may do all, or nothing is known yet. */
  missingRights(name: string): string | undefined {
    return this.#rights.get(name)?.known?.missing
  }

  /** What the issuer is to show of it. */
  conditions(name: string): readonly ConditionDraft[] {
    const rights = this.#rights.get(name)?.known
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
    const rights = this.#rights.get(name)
    if (rights === undefined) return { kind: 'done' }
    const missing = await missingCsrRights(kube, name, signal)
    // Unfollowed meanwhile: this is of no more use.
    if (this.#rights.get(name) !== rights) return { kind: 'done' }
    const isNews = rights.known === undefined || rights.known.missing !== missing
    rights.known = { missing }
    if (missing === undefined) this.#requests.follow(name, requestsFor(signerNameOf(name)))
    if (isNews) onRights(name)
    const ms = missing === undefined ? grantedIntervalMs : missingIntervalMs
    return { kind: 'after', ms: jittered(ms, 0.2, random) }
  }
}

function requestsFor(signerName: string): Followed<KubernetesCsr> {
  return {
    path: kubernetesCsrPath(),
    fieldSelector: `spec.signerName=${signerName}`,
    parse: (object) => {
      const request = parseKubernetesCsr(object)
      return request?.signerName === signerName ? request : undefined
    },
  }
}
