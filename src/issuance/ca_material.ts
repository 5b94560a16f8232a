import type { CaSpec, PemSource } from '../api/ca.ts'
import { IssuerError } from '../error.ts'
import { type Certificate, parseCertificate, parsePemCertificates } from '../pki/certificate.ts'
import type { Parsed } from '../pki/refusal.ts'
import type { ObjectVersion, Vault } from '../vault/vault.ts'
import type { References } from './references.ts'

/** What a CA of an issuer's spec refers to, fetched and parsed; whether it fits is decided later. */
export interface CaMaterial {
  readonly certificate: Certificate
  /** Certificates that may stand above the CA's, in any order. */
  readonly pool: readonly Certificate[]
  readonly key: ObjectVersion
}

/**
 * @param at where it stands in the spec, for messages: `spec.ca`
 * @throws IssuerError of the vault, of the API server, or `CertificateInvalid`
 */
export async function loadCaMaterial(
  ca: CaSpec,
  at: string,
  vault: Vault,
  references: Pick<References, 'configMapText'>,
  signal: AbortSignal,
): Promise<CaMaterial> {
  const above = ca.chain === undefined ? [] : await load(ca.chain, `${at}.chain`)
  if (ca.certificate.type === 'keyVaultCertificate') {
    const { der, key } = await vault.certificate(ca.certificate.ref, signal)
    const certificate = valid(parseCertificate(der), 'the Key Vault certificate')
    return { certificate, pool: above, key: ca.key ?? key }
  }
  const [certificate, ...rest] = await load(ca.certificate, `${at}.certificate`)
  if (certificate === undefined || ca.key === undefined) {
    throw new IssuerError('SpecInvalid', `${at}.certificate and ${at}.key are both needed`)
  }
  return { certificate, pool: [...rest, ...above], key: ca.key }

  async function load(source: PemSource, field: string): Promise<readonly Certificate[]> {
    return valid(parsePemCertificates(await text(source, field)), `${field}.${source.type}`)
  }

  async function text(source: PemSource, field: string): Promise<string> {
    if (source.type === 'pem') return source.pem
    if (source.type === 'configMapRef') return references.configMapText(source.ref, signal)
    const secret = await vault.secret(source.ref, signal)
    if (secret.managed) {
      throw new IssuerError(
        'ReferenceInvalid',
        `${field}.keyVaultSecret "${source.ref.name}" is the secret behind a Key Vault certificate ` +
          "and can hold the CA's private key — use keyVaultCertificate, or a secret with PEM " +
          'certificates alone',
      )
    }
    return secret.value
  }
}

function valid<T>(parsed: Parsed<T>, what: string): T {
  if (parsed.ok) return parsed.value
  throw new IssuerError('CertificateInvalid', `${what}: ${parsed.refusal.message}`)
}
