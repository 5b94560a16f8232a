import type { CaLimits } from './ca_request.ts'
import { type NameConstraintsText, parseImposedConstraints } from './imposed_constraints.ts'
import {
  type Matches,
  parseDnsPattern,
  parseIpRange,
  parsePrefixPattern,
  parseUriPattern,
} from './name_patterns.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import type { Limits } from './template.ts'
import type { ValidityLimits } from './validity.ts'

/** What an issuer's policy says, in its own words. Absent lists mean what is said beside them. */
export interface PolicyText {
  /** All when absent. */
  readonly namespaces?: NamespaceSelector | undefined
  /** Any when absent. */
  readonly dnsNames?: readonly string[] | undefined
  /** None of each kind when absent. */
  readonly ipRanges?: readonly string[] | undefined
  readonly uris?: readonly string[] | undefined
  readonly emailDomains?: readonly string[] | undefined
  readonly otherNames?: readonly string[] | undefined
  /** cert-manager's names; any when absent. */
  readonly usages?: readonly string[] | undefined
  /** `RSA-2048`, `P-256`, `Ed25519` …; any when absent. */
  readonly keyTypes?: readonly string[] | undefined
  readonly duration: ValidityLimits
  /** None when absent. */
  readonly isCA?: CaPolicyText | undefined
}

export interface CaPolicyText {
  readonly maxPathLen: number
  /** All when absent. */
  readonly namespaces?: NamespaceSelector | undefined
  /** Any when absent. */
  readonly commonNames?: readonly string[] | undefined
  /** Set on every CA. */
  readonly nameConstraints?: NameConstraintsText | undefined
}

/** Namespaces by name, or by all of some labels. Neither is every namespace. */
export type NamespaceSelector =
  | { readonly all: true }
  | {
      readonly all?: false
      readonly names: readonly string[]
      readonly matchLabels: Readonly<Record<string, string>>
    }

/** A policy whose patterns are known to be good. Only `parsePolicy` makes one. */
export interface Policy {
  readonly [checked]: true
  readonly text: PolicyText
  /** For `decide`. */
  readonly limits: Limits
  /** Whether a decision needs the labels of the request's namespace. */
  readonly needsLabels: boolean
  readonly names: NameRules
  readonly caNames: readonly Matches[] | undefined
}

interface NameRules {
  readonly dns: readonly Matches[] | undefined
  readonly ip: readonly ((octets: Uint8Array) => boolean)[]
  readonly uri: readonly Matches[]
  readonly email: readonly Matches[]
  readonly otherName: ReadonlySet<string>
}

const checked: unique symbol = Symbol('made by parsePolicy')

export function parsePolicy(text: PolicyText): Parsed<Policy> {
  return parsed(() => {
    const { ipRanges = [], uris = [], emailDomains = [], otherNames = [], isCA } = text
    const names: NameRules = {
      dns: text.dnsNames?.map((one) => pattern(parseDnsPattern(one), 'dnsNames', one)),
      ip: ipRanges.map((one) => pattern(parseIpRange(one), 'ipRanges', one)),
      uri: uris.map((one) => pattern(parseUriPattern(one), 'uris', one)),
      email: emailDomains.map((one) => pattern(parseDnsPattern(one), 'emailDomains', one)),
      otherName: new Set(otherNames),
    }
    const { minDurationMs, defaultDurationMs, maxDurationMs } = text.duration
    if (minDurationMs > defaultDurationMs || defaultDurationMs > maxDurationMs) {
      refuse('policy-malformed', 'policy.duration must have min ≤ default ≤ max; correct it')
    }
    return {
      [checked]: true,
      text,
      names,
      limits: {
        ...text.duration,
        nameKinds: [
          'dns',
          ...(ipRanges.length > 0 ? (['ip'] as const) : []),
          ...(uris.length > 0 ? (['uri'] as const) : []),
          ...(emailDomains.length > 0 ? (['email'] as const) : []),
          ...(otherNames.length > 0 ? (['otherName'] as const) : []),
        ],
        ...(isCA && { ca: caLimits(isCA) }),
      },
      needsLabels: selectsByLabel(text.namespaces) || selectsByLabel(isCA?.namespaces),
      caNames: isCA?.commonNames?.map((one) =>
        pattern(parsePrefixPattern(one), 'isCA.commonNames', one),
      ),
    }
  })
}

function caLimits({ maxPathLen, nameConstraints }: CaPolicyText): CaLimits {
  if (nameConstraints === undefined) return { maxPathLength: maxPathLen }
  const imposed = parseImposedConstraints(nameConstraints)
  if (imposed.ok) return { maxPathLength: maxPathLen, nameConstraints: imposed.value }
  return refuse('policy-malformed', `policy.isCA.nameConstraints: ${imposed.refusal.message}`)
}

export function selectsNamespace(
  selector: NamespaceSelector,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (selector.all) return true
  const wanted = Object.entries(selector.matchLabels)
  const byLabel = wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
  return byLabel || selector.names.includes(namespace)
}

export function selectsByLabel(selector: NamespaceSelector | undefined): boolean {
  return selector !== undefined && !selector.all && Object.keys(selector.matchLabels).length > 0
}

function pattern<T>(parsedPattern: T | undefined, field: string, text: string): T {
  if (parsedPattern !== undefined) return parsedPattern
  return refuse(
    'policy-malformed',
    `policy.${field} has ${JSON.stringify(text)}, which is no pattern for it; correct it`,
  )
}
