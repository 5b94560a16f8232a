import { IssuerError } from '../error.ts'
import { type Answer, isJson, type Json } from './http.ts'

/**
 * Trouble on request. It meets requests with an accepted token (and those to Entra), so that the
 * unauthenticated first try of the SDK does not use it up.
 */
export interface Fault {
  /** `keys/sign`, or a class such as `keys`; any operation when absent. */
  readonly operation?: string
  /** `contoso/ca`, `contoso/*`, a client id for Entra; any when absent. */
  readonly object?: string
  /** How many requests it meets; 1 when absent. */
  readonly count?: number
  /** Milliseconds before anything else happens. */
  readonly delay?: number
  /** An error answer; nothing but the delay when absent. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Cut the connection without an answer. */
  readonly drop?: boolean
  /** Do the work first, and only then fail: the answer of a real signature is lost. */
  readonly afterwards?: boolean
}

export class Faults {
  #queue: { readonly fault: Fault; left: number }[] = []

  add(fault: Fault): void {
    this.#queue.push({ fault, left: fault.count ?? 1 })
  }

  clear(): void {
    this.#queue = []
  }

  pending(): readonly Fault[] {
    return this.#queue.map(({ fault, left }) => ({ ...fault, count: left }))
  }

  take(operation: string, object: string): Fault | undefined {
    const found = this.#queue.find(
      ({ fault }) => covers(fault.operation, operation) && covers(fault.object, object),
    )
    if (found === undefined) return undefined
    found.left -= 1
    if (found.left <= 0) this.#queue = this.#queue.filter((one) => one !== found)
    return found.fault
  }
}

/** The body of Key Vault for the status when the fault brings none. */
export function faultAnswer(fault: Fault, status: number): Answer {
  const [code, message] = defaultErrors.get(status) ?? ['InternalServerError', 'Injected fault.']
  return {
    status,
    headers: fault.headers ?? {},
    body: fault.body ?? { error: { code, message } },
  }
}

const defaultErrors = new Map<number, readonly [code: string, message: string]>([
  [
    429,
    [
      'Throttled',
      'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
    ],
  ],
  [500, ['InternalServerError', 'An unexpected error has occurred.']],
  [503, ['ServiceUnavailable', 'The service is temporarily unavailable.']],
])

export function parseFault(value: unknown): Fault {
  if (!isJson(value)) throw new IssuerError('SpecInvalid', 'a fault must be a JSON object')
  return {
    ...field(value, 'operation', 'string'),
    ...field(value, 'object', 'string'),
    ...field(value, 'count', 'number'),
    ...field(value, 'delay', 'number'),
    ...field(value, 'status', 'number'),
    ...field(value, 'drop', 'boolean'),
    ...field(value, 'afterwards', 'boolean'),
    ...(isJson(value.headers) && {
      headers: Object.fromEntries(
        Object.entries(value.headers).map(([name, text]) => [name, String(text)]),
      ),
    }),
    ...(value.body !== undefined && { body: value.body }),
  }
}

interface Kinds {
  readonly string: string
  readonly number: number
  readonly boolean: boolean
}

function field<F extends string, K extends keyof Kinds>(
  json: Json,
  name: F,
  kind: K,
): { readonly [N in F]?: Kinds[K] } {
  const value = json[name]
  if (value === undefined) return {}
  if (!isKind(value, kind)) throw new IssuerError('SpecInvalid', `${name} must be a ${kind}`)
  const result: Partial<Record<F, Kinds[K]>> = {}
  result[name] = value
  return result
}

function isKind<K extends keyof Kinds>(value: unknown, kind: K): value is Kinds[K] {
  return typeof value === kind
}

function covers(pattern: string | undefined, value: string): boolean {
  if (pattern === undefined || pattern === '*' || pattern === value) return true
  if (pattern.endsWith('/*')) return value.startsWith(pattern.slice(0, -1))
  return value.startsWith(`${pattern}/`)
}
