import { IssuerError } from '../../src/error.ts'
import type { CertificateReader, CertificateVersion } from '../../src/vault/vault.ts'
import { makeVersion } from '../issuance/make_delivery.ts'

const leaf = makeVersion().certificate

/** A vault whose certificates a test puts in place, newest last. */
export class FakeVault implements CertificateReader {
  readonly versions = new Map<string, CertificateVersion[]>()
  readonly calls: string[] = []
  failure: IssuerError | undefined

  put(name: string, version: string, parts: Partial<CertificateVersion> = {}): void {
    const before = this.versions.get(name) ?? []
    const added: CertificateVersion = {
      version,
      enabled: true,
      notBefore: leaf.notBefore,
      notAfter: leaf.notAfter,
      created: before.length,
      der: leaf.der,
      ...parts,
    }
    this.versions.set(name, [...before.filter((one) => one.version !== version), added])
  }

  async latestCertificate(name: string): Promise<CertificateVersion> {
    this.calls.push(`latest ${name}`)
    if (this.failure) throw this.failure
    const latest = this.versions
      .get(name)
      ?.toSorted((a, b) => a.created - b.created)
      .at(-1)
    if (latest === undefined) throw new IssuerError('VaultNotFound', `no "${name}"`)
    return latest
  }

  async certificateVersions(name: string) {
    this.calls.push(`versions ${name}`)
    return (this.versions.get(name) ?? []).toReversed()
  }

  async certificate({ name, version }: { name: string; version: string }) {
    this.calls.push(`read ${name}/${version}`)
    const found = this.versions.get(name)?.find((one) => one.version === version)
    return { der: found?.der ?? new Uint8Array(), key: { name, version } }
  }
}
