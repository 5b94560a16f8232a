import { isJson, type Json } from './http.ts'
import { isHsm, isRsa, rsaSize } from './key_kinds.ts'
import { type KeyVersion, keyTypes } from './state.ts'

/** Transactions of one kind in 10 s (service limits page), software and HSM keys apart. */
export const quotaLimits = {
  create: { software: 20, hsm: 10 },
  'RSA-2048': { software: 4000, hsm: 2000 },
  'RSA-3072': { software: 1000, hsm: 500 },
  'RSA-4096': { software: 500, hsm: 250 },
  EC: { software: 4000, hsm: 2000 },
  other: { software: 4000, hsm: 4000 },
} as const

export type QuotaClass = keyof typeof quotaLimits

export interface QuotaSettings {
  readonly enabled: boolean
  /** Of the published limits; 1 when absent. */
  readonly share?: number
  /** Refills all the time instead of every 10 s, with bursts of a second's worth. */
  readonly smooth?: boolean
  /** Sent with the 429; absent means none, as the only public capture shows. */
  readonly retryAfterSeconds?: number
}

/** What a request uses up. */
export interface Charge {
  readonly quotaClass: QuotaClass
  readonly hsm: boolean
}

const windowMs = 10_000
const smoothBurst = 1000 / windowMs

/**
 * Counts in fixed windows of 10 s. The limits are weights on one common budget of a vault: one
 * RSA-4096 signature uses as much of it as eight with RSA-2048. Refused requests do not count.
 */
export class Quota {
  #settings: QuotaSettings = { enabled: false }
  /** Share of the budget in use, and when that was so. */
  readonly #used = new Map<string, { readonly share: number; readonly atMs: number }>()

  get settings(): QuotaSettings {
    return this.#settings
  }

  set(settings: QuotaSettings): void {
    this.#settings = settings
    this.#used.clear()
  }

  /** False when the request is to be answered with 429. */
  take(vault: string, { quotaClass, hsm }: Charge, nowMs: number): boolean {
    const { enabled, share = 1, smooth = false } = this.#settings
    if (!enabled) return true
    const protection = hsm ? 'hsm' : 'software'
    const budget = quotaClass === 'create' || quotaClass === 'other' ? quotaClass : 'keys'
    const id = `${vault}/${protection}/${budget}`
    const cost = 1 / (quotaLimits[quotaClass][protection] * share)
    const used = usedAt(nowMs, this.#used.get(id), smooth)
    // One request must pass even when it costs more than a burst.
    const limit = smooth ? Math.max(smoothBurst, Math.min(cost, 1)) : 1
    // Sums of fractions: the last request that fits must not fail by rounding.
    if (used + cost > limit + 1e-9) return false
    this.#used.set(id, { share: used + cost, atMs: nowMs })
    return true
  }
}

function usedAt(
  nowMs: number,
  before: { readonly share: number; readonly atMs: number } | undefined,
  smooth: boolean,
): number {
  if (before === undefined) return 0
  if (smooth) return Math.max(0, before.share - (nowMs - before.atMs) / windowMs)
  return Math.floor(nowMs / windowMs) === Math.floor(before.atMs / windowMs) ? before.share : 0
}

/**
 * Reading a key counts as using it (same page, note), and a certificate is created with its key. A
 * key that is still to come is weighed by what the request asks for.
 */
export function chargeOf(operation: string, key: KeyVersion | undefined, body: Json): Charge {
  if (creating.has(operation)) return { quotaClass: 'create', hsm: asksForHsm(body) }
  if (!operation.startsWith('keys/') || key === undefined)
    return { quotaClass: 'other', hsm: false }
  const hsm = isHsm(key.kty)
  if (!isRsa(key.kty)) return { quotaClass: 'EC', hsm }
  const size = rsaSize(key.jwk)
  const quotaClass = size === 2048 ? 'RSA-2048' : size === 3072 ? 'RSA-3072' : 'RSA-4096'
  return { quotaClass, hsm }
}

const creating = new Set(['keys/create', 'keys/import', 'certificates/create'])

function asksForHsm(body: Json): boolean {
  const policy = isJson(body.policy) ? body.policy : {}
  const properties = isJson(policy.key_props) ? policy.key_props : {}
  const kty = keyTypes.find((one) => one === (body.kty ?? properties.kty))
  return body.Hsm === true || body.hsm === true || (kty !== undefined && isHsm(kty))
}
