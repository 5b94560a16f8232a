import {
  type CertificateRequest,
  isUngrouped,
  parseCertificateRequest,
} from '../api/certificate_request.ts'
import { certManagerGroup, group } from '../api/names.ts'
import type { Clock } from '../clock.ts'
import type { KubeClient } from '../kube/client.ts'
import { metaOf, type ObjectMeta } from '../kube/object_meta.ts'
import { Reflector, type ReflectorEvent } from '../kube/reflector.ts'
import { resourcePath } from '../kube/resource_path.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'

export interface RequestWatchOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly onRequest: (type: ReflectorEvent['type'], request: CertificateRequest) => void
  /** Told once all requests with our group were seen. */
  readonly onSynced: () => void
  /** The name of a ClusterIssuer whose right to answer references without our group changed. */
  readonly onRight: (issuerName: string) => void
}

/** The watches that follow one name without our group. */
interface Following {
  readonly requests: Reflector<CertificateRequest>
  readonly rivals: Reflector<ObjectMeta>
  readonly stop: AbortController
}

const requestsPath = resourcePath({
  group: certManagerGroup,
  version: 'v1',
  resource: 'certificaterequests',
})
const rivalsPath = resourcePath({
  group: certManagerGroup,
  version: 'v1',
  resource: 'clusterissuers',
})

/**
 * Sees the requests that may be ours, and no more of the cluster's than the server can be asked to
 * leave out: one watch for our group, and one for each name that an issuer answers without it.
 * With cert-manager before 1.20 the server can leave out nothing.
 */
export class RequestWatch {
  readonly #options: RequestWatchOptions
  readonly #names = new Set<string>()
  readonly #following = new Map<string, Following>()
  readonly #running = new Set<Promise<void>>()
  #grouped: Reflector<CertificateRequest> | undefined
  /** Of the run under way. */
  #signal: AbortSignal | undefined

  constructor(options: RequestWatchOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    this.#grouped = this.#requests(
      `spec.issuerRef.group=${group}`,
      ({ issuerRef }) => issuerRef.group === group,
      this.#options.onSynced,
    )
    for (const name of this.#names) this.#start(name)
    try {
      await this.#grouped.run(signal)
    } finally {
      this.#signal = undefined
      await Promise.all(this.#running)
    }
  }

  get synced(): boolean {
    return this.#grouped?.synced ?? false
  }

  /** Follows references to ClusterIssuer `name` without our group. */
  follow(name: string): void {
    if (this.#names.has(name)) return
    this.#names.add(name)
    this.#start(name)
  }

  unfollow(name: string): void {
    this.#names.delete(name)
    const following = this.#following.get(name)
    if (following === undefined) return
    this.#following.delete(name)
    following.stop.abort()
    for (const request of following.requests.values()) {
      this.#options.onRequest('deleted', request)
    }
  }

  /** True once it is known that cert-manager has no ClusterIssuer of the name. */
  hasNoRival(name: string): boolean {
    const rivals = this.#following.get(name)?.rivals
    return rivals?.synced === true && rivals.size === 0
  }

  #start(name: string): void {
    const signal = this.#signal
    if (signal === undefined || this.#following.has(name)) return
    const { kube, clock, random, log, onRight } = this.#options
    const stop = new AbortController()
    const requests = this.#requests(
      `spec.issuerRef.name=${name},spec.issuerRef.kind=ClusterIssuer`,
      ({ issuerRef }) =>
        isUngrouped(issuerRef) && issuerRef.name === name && issuerRef.kind === 'ClusterIssuer',
    )
    const rivals = new Reflector<ObjectMeta>({
      client: kube,
      path: rivalsPath,
      fieldSelector: `metadata.name=${name}`,
      parse: (object) => {
        const rival = metaOf(object)
        return rival?.name === name ? rival : undefined
      },
      clock,
      random,
      log,
      onEvent: () => onRight(name),
      onSynced: () => onRight(name),
    })
    this.#following.set(name, { requests, rivals, stop })
    const both = AbortSignal.any([signal, stop.signal])
    for (const reflector of [requests, rivals]) {
      const running = reflector
        .run(both)
        .catch(() => {})
        .finally(() => this.#running.delete(running))
      this.#running.add(running)
    }
  }

  #requests(
    fieldSelector: string,
    isMeant: (request: CertificateRequest) => boolean,
    onSynced?: () => void,
  ): Reflector<CertificateRequest> {
    const { kube, clock, random, log, onRequest } = this.#options
    return new Reflector({
      client: kube,
      path: requestsPath,
      fieldSelector,
      parse: (object) => {
        const request = parseCertificateRequest(object)
        return request && isMeant(request) ? request : undefined
      },
      clock,
      random,
      log,
      onEvent: ({ type, object }) => onRequest(type, object),
      ...(onSynced && { onSynced }),
    })
  }
}
