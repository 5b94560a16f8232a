import type { CaSpec, NextCaSpec } from '../api/ca.ts'
import type { IssuerMode } from '../api/issuer.ts'
import { type ErrorCode, IssuerError } from '../error.ts'
import { type Authority, checkAuthority } from '../pki/authority.ts'
import { sameBytes } from '../pki/bytes.ts'
import { parseInformationUrls } from '../pki/information_urls.ts'
import { type KubernetesCsrPolicy, parseKubernetesCsrPolicy } from '../pki/kubernetes_csr_policy.ts'
import { nameText } from '../pki/names.ts'
import { type Policy, parsePolicy } from '../pki/policy.ts'
import type { Parsed, Rule } from '../pki/refusal.ts'
import { digest, signatureAlgorithm, verifyRaw } from '../pki/signature_algorithms.ts'
import type { Random } from '../random.ts'
import type { VaultLocation } from '../vault/cloud.ts'
import type { Vault } from '../vault/vault.ts'
import { loadCaMaterial } from './ca_material.ts'
import type { ProvenCa } from './issuer_state.ts'
import type { References } from './references.ts'

/** What an issuer's CAs are proven by. */
export interface ProofPlace {
  readonly vault: Vault
  readonly location: VaultLocation
  readonly references: Pick<References, 'configMapText'>
  readonly random: Random
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly signal: AbortSignal
}

/** What may be asked of an issuer. @throws IssuerError `SpecInvalid` */
export function readPolicies({ policy, kubernetesCsr }: Extract<IssuerMode, { type: 'sign' }>): {
  readonly policy: Policy
  readonly kubernetesCsr: KubernetesCsrPolicy | undefined
} {
  return {
    policy: valid(parsePolicy(policy)),
    kubernetesCsr: kubernetesCsr && valid(parseKubernetesCsrPolicy(kubernetesCsr, policy)),
  }
}

/**
 * A token is had, the CA certificate is fit and chains to a root.
 *
 * @throws IssuerError that says what to do
 */
export async function readCa(ca: CaSpec, at: string, place: ProofPlace): Promise<ProvenCa> {
  const { vault, location, references, now, signal } = place
  const urls = valid(parseInformationUrls(ca))
  const { certificate, pool, key } = await loadCaMaterial(ca, at, vault, references, signal)
  const algorithm = ca.signatureAlgorithm && signatureAlgorithm(ca.signatureAlgorithm)?.name
  const authority = checkAuthority({ certificate, pool, now, ...(algorithm && { algorithm }) })
  const keyId = `${location.url}/keys/${key.name}/${key.version}`
  return { authority: fit(authority, at), urls, key, keyId }
}

/** The same for the CA that is to follow `present`. */
export async function readNextCa(
  next: NextCaSpec,
  present: ProvenCa,
  place: ProofPlace,
): Promise<ProvenCa> {
  const ca = await readCa(next, 'spec.ca.next', place)
  if (!sameBytes(ca.authority.certificate.der, present.authority.certificate.der)) return ca
  throw new IssuerError(
    'SpecInvalid',
    'spec.ca.next.certificate is that of spec.ca; name the CA that is to follow, or leave next out',
  )
}

/**
 * A test signature by the key must verify with the certificate's public key: that ties the two, and
 * needs no right to read the key.
 */
export async function testSignature(
  { authority, key, keyId }: ProvenCa,
  { vault, random, signal }: ProofPlace,
): Promise<void> {
  const { algorithm, publicKey, certificate } = authority
  // Random, so that an answer cannot be an old one; text, so that it can be nothing that is signed.
  const nonce = Buffer.from(random.bytes(16)).toString('hex')
  const data = Buffer.from(`akv-issuer readiness test ${nonce}`)
  const signature = await vault.sign(
    { key, algorithm: algorithm.name, digest: digest(algorithm, data) },
    signal,
  )
  if (!verifyRaw(algorithm, publicKey, data, signature)) {
    throw new IssuerError(
      'CertificateKeyMismatch',
      `a signature by ${keyId} does not verify with the public key of the CA certificate ` +
        `"${nameText(certificate.subject)}" — name the key version that the certificate was made for, or the ` +
        'certificate that was made for the key version',
    )
  }
}

function fit(authority: Parsed<Authority>, at: string): Authority {
  if (authority.ok) return authority.value
  const { rule, message } = authority.refusal
  throw new IssuerError(codeByRule.get(rule) ?? 'CertificateInvalid', `${at}: ${message}`)
}

const codeByRule: ReadonlyMap<Rule, ErrorCode> = new Map<Rule, ErrorCode>([
  ['ca-expired', 'CertificateExpired'],
])

function valid<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value
  throw new IssuerError('SpecInvalid', parsed.refusal.message)
}
