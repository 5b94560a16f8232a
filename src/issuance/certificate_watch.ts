import { type Certificate, parseCertificate } from '../api/certificate.ts'
import { type Issuer, issuerKey } from '../api/issuer.ts'
import { certManagerGroup } from '../api/names.ts'
import { ReflectorSet, type ReflectorSetOptions } from '../kube/reflector_set.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { claimOf } from './claim.ts'

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
  /** By issuer. */
  readonly #certificates: ReflectorSet<Certificate>

  constructor(options: ReflectorSetOptions<Certificate>) {
    this.#certificates = new ReflectorSet(options)
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#certificates.run(signal)
  }

  follow(issuer: Issuer): void {
    const key = issuerKey(issuer)
    this.#certificates.follow(key, {
      path: certificatesPath(issuer),
      fieldSelector: `spec.issuerRef.name=${issuer.name}`,
      parse: (object) => {
        const certificate = parseCertificate(object)
        return certificate && claimOf(certificate)?.issuer === key ? certificate : undefined
      },
    })
  }

  unfollow(key: string): void {
    this.#certificates.unfollow(key)
  }

  isFollowing(key: string): boolean {
    return this.#certificates.get(key) !== undefined
  }

  /** Whether all Certificates of the issuer were seen. */
  isSynced(key: string): boolean {
    return this.#certificates.get(key)?.synced ?? false
  }
}
