import type { Random } from '../random.ts'
import type { BehaviourSettings } from './behaviour.ts'
import type { Answer, Json } from './http.ts'
import type { VaultState } from './state.ts'

/** One authorised request to a vault, taken apart. */
export interface Call {
  readonly vault: VaultState
  readonly isManagedHsm: boolean
  /** What ids in answers begin with, such as `https://contoso.vault.azure.net`. */
  readonly origin: string
  /** Empty where the path has none; an empty version means the latest. */
  readonly name: string
  readonly version: string
  readonly query: URLSearchParams
  readonly apiVersion: string
  readonly body: Json
  /** By the vault's clock, which the admin API may move. */
  readonly nowMs: number
  readonly random: Random
  readonly behaviour: BehaviourSettings
}

/** Whether the API version is 2025-07-01 or newer: those are dates, the ones before 7.x. */
export function isDated(apiVersion: string): boolean {
  return apiVersion.startsWith('20')
}

export interface Operation {
  /** `GET keys/{name}/{version}`; fixed words win over placeholders by standing earlier. */
  readonly route: string
  /** Name in counters, faults and latencies, such as `keys/sign`. */
  readonly operation: string
  /** Data action of Azure RBAC, without `Microsoft.KeyVault/vaults/`. */
  readonly action: string
  run(call: Call): Answer | Promise<Answer>
}

/** One line of a table of operations. */
export function offer(
  route: string,
  operation: string,
  action: string,
  run: Operation['run'],
): Operation {
  return { route, operation, action, run }
}

export interface Match {
  readonly operation: Operation
  readonly name: string
  readonly version: string
}

export function match(
  operations: readonly Operation[],
  method: string,
  path: readonly string[],
): Match | undefined {
  for (const operation of operations) {
    const values = valuesOf(operation.route, method, path)
    if (values) return { operation, name: values.name ?? '', version: values.version ?? '' }
  }
  return undefined
}

function valuesOf(
  route: string,
  method: string,
  path: readonly string[],
): { name?: string; version?: string } | undefined {
  const [verb, pattern = ''] = route.split(' ')
  const parts = pattern.split('/')
  if (verb !== method || parts.length !== path.length) return undefined
  const values: { name?: string; version?: string } = {}
  for (const [index, part] of parts.entries()) {
    const segment = path[index] ?? ''
    if (part === '{name}') values.name = segment
    else if (part === '{version}') values.version = segment
    else if (part !== segment.toLowerCase()) return undefined
  }
  return values
}
