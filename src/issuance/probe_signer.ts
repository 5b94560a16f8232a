import type { CaSpec, NextCaSpec } from '../api/ca.ts'
import type { IssuerMode } from '../api/issuer.ts'
import { type ErrorCode, IssuerError, issuerErrorFrom } from '../error.ts'
import { type Authority, checkAuthority } from '../pki/authority.ts'
import { sameBytes } from '../pki/bytes.ts'
import type { Certificate } from '../pki/certificate.ts'
import { parseInformationUrls } from '../pki/information_urls.ts'
import { parseKubernetesCsrPolicy } from '../pki/kubernetes_csr_policy.ts'
import { nameText } from '../pki/names.ts'
import { parsePolicy } from '../pki/policy.ts'
import type { Parsed, Rule } from '../pki/refusal.ts'
import { bundleRoots, fingerprint } from '../pki/roots.ts'
import { digest, signatureAlgorithm, verifyRaw } from '../pki/signature_algorithms.ts'
import type { Random } from '../random.ts'
import type { VaultLocation } from '../vault/cloud.ts'
import type { Vault } from '../vault/vault.ts'
import { loadCaMaterial } from './ca_material.ts'
import type { NextCa, ProvenCa, ReadyState } from './issuer_state.ts'
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

/**
 * Proves that an issuer can sign. Of two CAs the one that is to sign is proven whole; the present one
 * gives no more than its root once the next has its place.
 *
 * @param known fingerprints of the roots that were published, in order; and how the next CA was found
 *   before, for the same spec
 * @throws IssuerError that says what to do; never for the next CA
 */
export async function probeSigner(
  mode: Extract<IssuerMode, { type: 'sign' }>,
  place: ProofPlace,
  known: { readonly published: readonly string[]; readonly next: NextCa | undefined },
): Promise<Extract<ReadyState, { mode: 'sign' }>> {
  const policy = valid(parsePolicy(mode.policy))
  const csrText = mode.kubernetesCsr
  const kubernetesCsr = csrText && valid(parseKubernetesCsrPolicy(csrText, mode.policy))
  const present = await readCa(mode.ca, 'spec.ca', place)
  const next = mode.next && (await probeNext(mode.next, present, place, known.next))
  const successor = next?.kind === 'proven' && next.active ? next.ca : undefined
  if (successor === undefined) await testSignature(present, place)
  const bundle = bundleRoots(
    [present.authority.root, ...rootsOf(next, known.published)],
    known.published,
  )
  const { vault, location } = place
  const { host: vaultHost } = location
  const signer = { ...(successor ?? present), policy, kubernetesCsr, vault, vaultHost, bundle }
  return { kind: 'ready', mode: 'sign', signer, next }
}

/** Passing trouble leaves a next CA as it was: its root must not come and go. */
async function probeNext(
  spec: NextCaSpec,
  present: ProvenCa,
  place: ProofPlace,
  before: NextCa | undefined,
): Promise<NextCa> {
  let root = before?.kind === 'proven' ? before.ca.authority.root : before?.root
  try {
    const ca = await readCa(spec, 'spec.ca.next', place)
    if (sameBytes(ca.authority.certificate.der, present.authority.certificate.der)) {
      throw new IssuerError(
        'SpecInvalid',
        'spec.ca.next.certificate is that of spec.ca; name the CA that is to follow, or leave next out',
      )
    }
    root = ca.authority.root
    await testSignature(ca, place)
    return { kind: 'proven', active: spec.activate, ca }
  } catch (thrown) {
    place.signal.throwIfAborted()
    const error = issuerErrorFrom(thrown)
    if (error.retry === 'stop') throw error
    if (error.retry === 'backoff' && before?.kind === 'proven') return before
    return { kind: 'broken', code: error.code, message: error.message, root }
  }
}

/** A root is published when its CA was proven, and stays so while it is known. */
function rootsOf(next: NextCa | undefined, published: readonly string[]): readonly Certificate[] {
  if (next?.kind === 'proven') return [next.ca.authority.root]
  const root = next?.root
  return root !== undefined && published.includes(fingerprint(root.der)) ? [root] : []
}

/** A token is had, the CA certificate is fit and chains to a root. */
async function readCa(ca: CaSpec, at: string, place: ProofPlace): Promise<ProvenCa> {
  const { vault, location, references, now, signal } = place
  const urls = valid(parseInformationUrls(ca))
  const { certificate, pool, key } = await loadCaMaterial(ca, at, vault, references, signal)
  const algorithm = ca.signatureAlgorithm && signatureAlgorithm(ca.signatureAlgorithm)?.name
  const authority = checkAuthority({ certificate, pool, now, ...(algorithm && { algorithm }) })
  const keyId = `${location.url}/keys/${key.name}/${key.version}`
  return { authority: fit(authority, at), urls, key, keyId }
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

/**
 * A test signature by the key must verify with the certificate's public key: that ties the two, and
 * needs no right to read the key.
 */
async function testSignature(
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
