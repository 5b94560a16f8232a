import type { CertificateSigningRequest } from './csr.ts'
import { generalNameText } from './general_names.ts'
import { parseUriPattern } from './name_patterns.ts'
import { type Policy, type PolicyText, parsePolicy } from './policy.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import { durationText } from './times.ts'

/** What an issuer says of CertificateSigningRequests, in its own words. */
export interface KubernetesCsrText {
  /** Those of the policy when absent. */
  readonly usages?: readonly string[] | undefined
  /** None when absent, whatever the policy says. */
  readonly uris?: readonly string[] | undefined
  /** That of the policy when absent. */
  readonly maxDurationMs?: number | undefined
}

/** Only `parseKubernetesCsrPolicy` makes one. */
export interface KubernetesCsrPolicy {
  readonly [checked]: true
  readonly text: KubernetesCsrText
  /** The issuer's policy as it holds for these requests: without CAs, and no longer than they may be. */
  readonly policy: Policy
}

const checked: unique symbol = Symbol('made by parseKubernetesCsrPolicy')

export function parseKubernetesCsrPolicy(
  text: KubernetesCsrText,
  issuers: PolicyText,
): Parsed<KubernetesCsrPolicy> {
  return parsed(() => {
    if (issuers.namespaces !== undefined) {
      refuse(
        'policy-malformed',
        'kubernetesCSR cannot be enabled beside policy.namespaces: a CertificateSigningRequest has no namespace; make an issuer for each',
      )
    }
    const malformed = text.uris?.find((uri) => parseUriPattern(uri) === undefined)
    if (malformed !== undefined) {
      refuse(
        'policy-malformed',
        `kubernetesCSR.uris has ${JSON.stringify(malformed)}, which is no pattern for it; correct it`,
      )
    }
    const { minDurationMs, defaultDurationMs, maxDurationMs } = issuers.duration
    const longest = Math.min(text.maxDurationMs ?? maxDurationMs, maxDurationMs)
    if (longest < minDurationMs) {
      refuse(
        'policy-malformed',
        `kubernetesCSR.maxDuration ${durationText(longest)} is below policy.duration.min ${durationText(minDurationMs)}; correct one of them`,
      )
    }
    const policy = parsePolicy({
      ...issuers,
      uris: text.uris,
      isCA: undefined,
      duration: {
        ...issuers.duration,
        defaultDurationMs: Math.min(defaultDurationMs, longest),
        maxDurationMs: longest,
      },
    })
    if (!policy.ok) return refuse(policy.refusal.rule, policy.refusal.message)
    return { [checked]: true, text, policy: policy.value }
  })
}

/** Refuses what `kubernetesCSR` does not allow. What `policy` says of the rest is checked besides. */
export function checkKubernetesCsr(
  csr: CertificateSigningRequest,
  usages: readonly string[],
  { text, policy }: KubernetesCsrPolicy,
): Parsed<undefined> {
  return parsed(() => {
    if (csr.extensions.basicConstraints?.ca) {
      refuse(
        'is-ca-refused',
        'the CSR asks for a CA (basicConstraints), which no CertificateSigningRequest gets; ask by a CertificateRequest of cert-manager with isCA: true',
      )
    }
    const usage = usages.find((one) => text.usages?.includes(one) === false)
    if (usage !== undefined) {
      refuse(
        'policy-usage',
        `usage ${JSON.stringify(usage)} is not allowed (kubernetesCSR.usages: ${text.usages?.join(', ')}); leave it out`,
      )
    }
    for (const name of csr.extensions.subjectAltName ?? []) {
      if (name.kind !== 'uri' || policy.names.uri.some((matches) => matches(name.value))) continue
      refuse(
        'policy-uri',
        `${generalNameText(name)} is not allowed (kubernetesCSR.uris: ${text.uris?.join(', ') ?? 'none'}); leave it out, or ask the operator of the issuer to allow it`,
      )
    }
    return undefined
  })
}

/** The lifetime to decide for: what is too long is shortened, since Istio asks for ten years. */
export function cappedDurationMs(
  askedMs: number | undefined,
  { policy }: KubernetesCsrPolicy,
): number | undefined {
  return askedMs === undefined ? undefined : Math.min(askedMs, policy.limits.maxDurationMs)
}
