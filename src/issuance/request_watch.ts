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
import { type Followed, ReflectorSet } from '../kube/reflector_set.ts'
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
  readonly #grouped: Reflector<CertificateRequest>
  /** By the name that they have without our group. */
  readonly #ungrouped: ReflectorSet<CertificateRequest>
  /** cert-manager's ClusterIssuers of these names. */
  readonly #rivals: ReflectorSet<ObjectMeta>

  constructor(options: RequestWatchOptions) {
    const { kube, clock, random, log, onRequest, onSynced, onRight } = options
    const deps = { kube, clock, random, log }
    this.#grouped = new Reflector({
      ...requestsWith(
        `spec.issuerRef.group=${group}`,
        ({ issuerRef }) => issuerRef.group === group,
      ),
      client: kube,
      clock,
      random,
      log,
      onEvent: ({ type, object }) => onRequest(type, object),
      onSynced,
    })
    this.#ungrouped = new ReflectorSet({ ...deps, onEvent: onRequest })
    this.#rivals = new ReflectorSet({
      ...deps,
      onEvent: (_type, _rival, name) => onRight(name),
      onSynced: onRight,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const watches = [this.#grouped, this.#ungrouped, this.#rivals]
    await Promise.all(watches.map((watch) => watch.run(signal)))
  }

  get synced(): boolean {
    return this.#grouped.synced
  }

  /** Follows references to ClusterIssuer `name` without our group. */
  follow(name: string): void {
    this.#ungrouped.follow(
      name,
      requestsWith(
        `spec.issuerRef.name=${name},spec.issuerRef.kind=ClusterIssuer`,
        ({ issuerRef }) =>
          isUngrouped(issuerRef) && issuerRef.name === name && issuerRef.kind === 'ClusterIssuer',
      ),
    )
    this.#rivals.follow(name, {
      path: rivalsPath,
      fieldSelector: `metadata.name=${name}`,
      parse: (object) => {
        const rival = metaOf(object)
        return rival?.name === name ? rival : undefined
      },
    })
  }

  unfollow(name: string): void {
    this.#ungrouped.unfollow(name)
    this.#rivals.unfollow(name)
  }

  /** True once it is known that cert-manager has no ClusterIssuer of the name. */
  hasNoRival(name: string): boolean {
    const rivals = this.#rivals.get(name)
    return rivals?.synced === true && rivals.size === 0
  }
}

function requestsWith(
  fieldSelector: string,
  isMeant: (request: CertificateRequest) => boolean,
): Followed<CertificateRequest> {
  return {
    path: requestsPath,
    fieldSelector,
    parse: (object) => {
      const request = parseCertificateRequest(object)
      return request && isMeant(request) ? request : undefined
    },
  }
}
