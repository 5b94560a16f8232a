import {
  booleanAt,
  type JsonObject,
  numberAt,
  objectAt,
  textAt,
  textMapAt,
  textsAt,
} from '../json.ts'
import type { NameConstraintsText } from '../pki/imposed_constraints.ts'
import type { KubernetesCsrText } from '../pki/kubernetes_csr_policy.ts'
import type { NamespaceSelector, PolicyText } from '../pki/policy.ts'
import { parseGoDuration } from './duration.ts'

/** What the CRD's defaults say, for issuers stored without them. */
const defaults = { default: '2160h', min: '5m', max: '8760h', backdate: '30s' } as const

/** Reads `spec.policy`; a missing one is the closed default. */
export function readPolicy(policy: JsonObject | undefined): PolicyText {
  const duration = objectAt(policy, 'duration')
  const isCA = objectAt(policy, 'isCA')
  const milliseconds = (field: keyof typeof defaults) =>
    parseGoDuration(textAt(duration, field) ?? defaults[field]) ?? 0
  return {
    namespaces: readSelector(objectAt(policy, 'namespaces')),
    dnsNames: list(policy, 'dnsNames'),
    ipRanges: list(policy, 'ipRanges'),
    uris: list(policy, 'uris'),
    emailDomains: list(policy, 'emailDomains'),
    otherNames: list(policy, 'otherNames'),
    usages: list(policy, 'usages'),
    keyTypes: list(policy, 'keyTypes'),
    duration: {
      defaultDurationMs: milliseconds('default'),
      minDurationMs: milliseconds('min'),
      maxDurationMs: milliseconds('max'),
      backdateMs: milliseconds('backdate'),
    },
    isCA: booleanAt(isCA, 'allowed')
      ? {
          maxPathLen: numberAt(isCA, 'maxPathLen') ?? 0,
          namespaces: readSelector(objectAt(isCA, 'namespaces')),
          commonNames: list(isCA, 'commonNames'),
          nameConstraints: readConstraints(objectAt(isCA, 'nameConstraints')),
        }
      : undefined,
  }
}

/** Reads `spec.kubernetesCSR`; `undefined` when it is not enabled. */
export function readKubernetesCsrPolicy(
  from: JsonObject | undefined,
): KubernetesCsrText | undefined {
  if (!booleanAt(from, 'enabled')) return undefined
  return {
    usages: list(from, 'usages'),
    uris: list(from, 'uris'),
    maxDurationMs: parseGoDuration(textAt(from, 'maxDuration')),
  }
}

function readConstraints(from: JsonObject | undefined): NameConstraintsText | undefined {
  if (from === undefined) return undefined
  const [permitted, excluded] = (['permitted', 'excluded'] as const).map((side) => {
    const names = objectAt(from, side)
    return {
      dnsDomains: list(names, 'dnsDomains'),
      ipRanges: list(names, 'ipRanges'),
      emailAddresses: list(names, 'emailAddresses'),
      uriDomains: list(names, 'uriDomains'),
    }
  })
  return { permitted, excluded }
}

export function readSelector(selector: JsonObject | undefined): NamespaceSelector | undefined {
  if (selector === undefined) return undefined
  if (booleanAt(selector, 'all')) return { all: true }
  return { names: textsAt(selector, 'names'), matchLabels: textMapAt(selector, 'matchLabels') }
}

function list(from: JsonObject | undefined, key: string): readonly string[] | undefined {
  const values = textsAt(from, key)
  return values.length === 0 ? undefined : values
}
