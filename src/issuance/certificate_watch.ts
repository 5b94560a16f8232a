import { type Certificate, parseCertificate } from '../api/certificate.ts'
import { type Issuer, issuerKey } from '../api/issuer.ts'
import { certManagerGroup } from '../api/names.ts'
import type { Clock } from '../clock.ts'
import type { KubeClient } from '../kube/client.ts'
import { Reflector, type ReflectorEvent } from '../kube/reflector.ts'
import { resourcePath } from '../kube/resource_path.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'
import { claimOf } from './claim.ts'

export interface CertificateWatchOptions {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly onCertificate: (type: ReflectorEvent['type'], certificate: Certificate) => void
  /** Told once all Certificates of an issuer were seen. */
  readonly onSynced?: (issuer: string) => void
}

interface Following {
  readonly reflector: Reflector<Certificate>
  readonly stop: AbortController
}

/** Where the Certificates are that can be an issuer's. */
export function certificatesPath(issuer: Pick<Issuer, 'kind' | 'namespace'>): string {
  return resourcePath({
    group: certManagerGroup,
    version: 'v1',
    resource: 'certificates',
    ...(issuer.kind === 'Issuer' && { namespace: issuer.namespace }),
  })
}

/**
 * Sees the Certificates of the issuers that are followed: one watch an issuer, and none in a cluster
 * without such issuers. The server sends only those that name the issuer; all, with cert-manager
 * before 1.20.
 */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions
  readonly #wanted = new Map<string, Issuer>()
  readonly #following = new Map<string, Following>()
  readonly #running = new Set<Promise<void>>()
  #signal: AbortSignal | undefined

  constructor(options: CertificateWatchOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    for (const [key, issuer] of this.#wanted) this.#start(key, issuer)
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.all(this.#running)
  }

  follow(issuer: Issuer): void {
    const key = issuerKey(issuer)
    this.#wanted.set(key, issuer)
    this.#start(key, issuer)
  }

  unfollow(key: string): void {
    this.#wanted.delete(key)
    const following = this.#following.get(key)
    if (following === undefined) return
    this.#following.delete(key)
    following.stop.abort()
    for (const certificate of following.reflector.values()) {
      this.#options.onCertificate('deleted', certificate)
    }
  }

  isFollowing(key: string): boolean {
    return this.#wanted.has(key)
  }

  /** Whether all Certificates of the issuer were seen. */
  isSynced(key: string): boolean {
    return this.#following.get(key)?.reflector.synced ?? false
  }

  #start(key: string, issuer: Issuer): void {
    const signal = this.#signal
    if (signal === undefined || signal.aborted || this.#following.has(key)) return
    const stop = new AbortController()
    const reflector = this.#reflector(key, issuer, stop)
    this.#following.set(key, { reflector, stop })
    const running = reflector
      .run(AbortSignal.any([signal, stop.signal]))
      .catch(() => {})
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  #reflector(key: string, issuer: Issuer, stop: AbortController): Reflector<Certificate> {
    const { kube, clock, random, log, onCertificate, onSynced } = this.#options
    return new Reflector({
      client: kube,
      path: certificatesPath(issuer),
      fieldSelector: `spec.issuerRef.name=${issuer.name}`,
      parse: (object) => {
        const certificate = parseCertificate(object)
        return certificate && claimOf(certificate)?.issuer === key ? certificate : undefined
      },
      clock,
      random,
      log,
      onEvent: ({ type, object }) => {
        if (!stop.signal.aborted) onCertificate(type, object)
      },
      ...(onSynced && { onSynced: () => onSynced(key) }),
    })
  }
}
