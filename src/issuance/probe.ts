import {
  type IdentitySpec,
  type Issuer,
  type IssuerMode,
  type IssuerSpec,
  issuerKey,
} from '../api/issuer.ts'
import { type ErrorCode, IssuerError } from '../error.ts'
import { checkAuthority } from '../pki/authority.ts'
import { parseInformationUrls } from '../pki/information_urls.ts'
import { parseKubernetesCsrPolicy } from '../pki/kubernetes_csr_policy.ts'
import { nameText } from '../pki/names.ts'
import { parsePolicy } from '../pki/policy.ts'
import type { Parsed, Rule } from '../pki/refusal.ts'
import { digest, signatureAlgorithm, verifyRaw } from '../pki/signature_algorithms.ts'
import type { Random } from '../random.ts'
import type { CertificateDirectory } from '../vault/certificate_directory.ts'
import { parseVaultUrl, type VaultLocation } from '../vault/cloud.ts'
import { type Identity, type WorkloadEnvironment, workloadIdentity } from '../vault/identity.ts'
import type { Vault } from '../vault/vault.ts'
import { loadCaMaterial } from './ca_material.ts'
import type { Deliverer, ReadyState, Signer } from './issuer_state.ts'
import { probeDeliverer } from './probe_deliverer.ts'
import type { References } from './references.ts'

export interface ProbeDeps {
  readonly allowedSuffixes: readonly string[]
  readonly workload: WorkloadEnvironment
  /** Whether a namespaced Issuer may use the controller's own identity. */
  readonly ambientIdentityForIssuers: boolean
  readonly references: (issuer: Issuer) => References
  /** A client for the vault; the same one as before while location, identity and limit are. */
  readonly vault: (location: VaultLocation, identity: Identity, inFlight: number) => Vault
  /** What Key Vault holds, for issuers that deliver. */
  readonly directory: CertificateDirectory
  readonly random: Random
  readonly now: () => number
}

/**
 * Proves that an issuer can answer requests: by a test signature, or by reading what it delivers.
 *
 * @throws IssuerError that says what to do
 */
export async function probeIssuer(
  issuer: Issuer,
  spec: IssuerSpec,
  deps: ProbeDeps,
  signal: AbortSignal,
): Promise<ReadyState> {
  const { mode } = spec
  if (mode.type === 'sign') {
    return {
      kind: 'ready',
      mode: 'sign',
      signer: await probeSigner(issuer, spec, mode, deps, signal),
    }
  }
  const { vault, location } = await connect(issuer, spec, deps, signal)
  const deliverer: Deliverer = {
    issuer: issuerKey(issuer),
    vault,
    vaultHost: location.host,
    allowed: mode.certificates,
    namespace: issuer.kind === 'Issuer' ? issuer.namespace : undefined,
  }
  const offers = await probeDeliverer(deliverer, deps.directory, signal)
  return { kind: 'ready', mode: 'deliver', deliverer, offers }
}

/**
 * Proves that an issuer can sign: a token is had, the CA certificate is fit and chains to a root, and
 * a test signature by the key verifies with the certificate's public key. That last step is what
 * ties key and certificate; it needs no right to read the key.
 */
async function probeSigner(
  issuer: Issuer,
  spec: IssuerSpec,
  { ca, policy: policyText, kubernetesCsr: csrText }: Extract<IssuerMode, { type: 'sign' }>,
  deps: ProbeDeps,
  signal: AbortSignal,
): Promise<Signer> {
  const policy = valid(parsePolicy(policyText))
  const kubernetesCsr = csrText && valid(parseKubernetesCsrPolicy(csrText, policyText))
  const urls = valid(parseInformationUrls(ca))
  const { vault, location, references } = await connect(issuer, spec, deps, signal)
  const { certificate, pool, key } = await loadCaMaterial(ca, vault, references, signal)
  const algorithm =
    ca.signatureAlgorithm === undefined
      ? undefined
      : signatureAlgorithm(ca.signatureAlgorithm)?.name
  const authority = checkAuthority({
    certificate,
    pool,
    now: deps.now(),
    ...(algorithm && { algorithm }),
  })
  if (!authority.ok) {
    const { rule, message } = authority.refusal
    throw new IssuerError(codeByRule.get(rule) ?? 'CertificateInvalid', `spec.ca: ${message}`)
  }
  const signer: Signer = {
    authority: authority.value,
    policy,
    kubernetesCsr,
    urls,
    vault,
    vaultHost: location.host,
    key,
    keyId: `${location.url}/keys/${key.name}/${key.version}`,
  }
  await testSignature(signer, deps.random, signal)
  return signer
}

async function connect(
  issuer: Issuer,
  spec: IssuerSpec,
  deps: ProbeDeps,
  signal: AbortSignal,
): Promise<{ vault: Vault; location: VaultLocation; references: References }> {
  const references = deps.references(issuer)
  const location = parseVaultUrl(spec.vaultUrl, deps.allowedSuffixes)
  const identity = await resolveIdentity(issuer, spec.identity, references, deps, signal)
  return { vault: deps.vault(location, identity, spec.inFlight), location, references }
}

function valid<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value
  throw new IssuerError('SpecInvalid', parsed.refusal.message)
}

const codeByRule: ReadonlyMap<Rule, ErrorCode> = new Map<Rule, ErrorCode>([
  ['ca-expired', 'CertificateExpired'],
])

async function resolveIdentity(
  issuer: Issuer,
  spec: IdentitySpec | undefined,
  references: References,
  deps: ProbeDeps,
  signal: AbortSignal,
): Promise<Identity> {
  if (spec === undefined) {
    throw new IssuerError('SpecInvalid', 'spec.identity is missing — set exactly one member')
  }
  if (spec.type === 'clientSecret') {
    const { tenantId, clientId, secretRef } = spec
    const clientSecret = await references.secretText(secretRef, signal)
    return { type: 'clientSecret', tenantId, clientId, clientSecret }
  }
  if (issuer.kind === 'Issuer' && !deps.ambientIdentityForIssuers) {
    throw new IssuerError(
      'IdentityRefused',
      "spec.identity.workload is the controller's own identity, which Issuers may not use here — " +
        'set spec.identity.clientSecret, or have the operator of the controller set ' +
        '--issuer-ambient-identity',
    )
  }
  return workloadIdentity(spec, deps.workload)
}

async function testSignature(signer: Signer, random: Random, signal: AbortSignal): Promise<void> {
  const { algorithm, publicKey, certificate } = signer.authority
  // Random, so that an answer cannot be an old one; text, so that it can be nothing that is signed.
  const nonce = Buffer.from(random.bytes(16)).toString('hex')
  const data = Buffer.from(`akv-issuer readiness test ${nonce}`)
  const signature = await signer.vault.sign(
    { key: signer.key, algorithm: algorithm.name, digest: digest(algorithm, data) },
    signal,
  )
  if (!verifyRaw(algorithm, publicKey, data, signature)) {
    throw new IssuerError(
      'CertificateKeyMismatch',
      `a signature by ${signer.keyId} does not verify with the public key of the CA certificate ` +
        `"${nameText(certificate.subject)}" — name the key version that the certificate was made for, or the ` +
        'certificate that was made for the key version',
    )
  }
}
