import { isRsa, rsaSize } from './keys.ts'
import type { KeyVersion } from './state.ts'

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
  /** Sent with the 429; absent means none, as the only public capture shows. */
  readonly retryAfterSeconds?: number
}

const windowMs = 10_000

/**
 * Counts in fixed windows of 10 s. The limits are weights on one common budget of a vault: one
 * RSA-4096 signature uses as much of it as eight with RSA-2048. Refused requests do not count.
 */
export class Quota {
  #settings: QuotaSettings = { enabled: false }
  #window = 0
  readonly #used = new Map<string, number>()

  get settings(): QuotaSettings {
    return this.#settings
  }

  set(settings: QuotaSettings): void {
    this.#settings = settings
    this.#used.clear()
  }

  /** False when the request is to be answered with 429. */
  take(vault: string, quotaClass: QuotaClass, hsm: boolean, nowMs: number): boolean {
    if (!this.#settings.enabled) return true
    const window = Math.floor(nowMs / windowMs)
    if (window !== this.#window) this.#used.clear()
    this.#window = window
    const protection = hsm ? 'hsm' : 'software'
    const budget = quotaClass === 'create' || quotaClass === 'other' ? quotaClass : 'keys'
    const id = `${vault}/${protection}/${budget}`
    const cost = 1 / (quotaLimits[quotaClass][protection] * (this.#settings.share ?? 1))
    const used = this.#used.get(id) ?? 0
    // Sums of fractions: the last request that fits must not fail by rounding.
    if (used + cost > 1 + 1e-9) return false
    this.#used.set(id, used + cost)
    return true
  }
}

/** Reading a key counts as using it (same page, note). */
export function quotaClassOf(operation: string, key: KeyVersion | undefined): QuotaClass {
  if (operation === 'keys/create' || operation === 'keys/import') return 'create'
  if (!operation.startsWith('keys/') || key === undefined) return 'other'
  if (!isRsa(key.kty)) return 'EC'
  const size = rsaSize(key.jwk)
  return size === 2048 ? 'RSA-2048' : size === 3072 ? 'RSA-3072' : 'RSA-4096'
}
