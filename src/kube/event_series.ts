/** The object an event is about. */
export interface EventRegarding {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string | undefined
  readonly name: string
  readonly uid: string
}

export interface KubeEvent {
  readonly regarding: EventRegarding
  readonly type: 'Normal' | 'Warning'
  /** Why, in CamelCase; for machines. */
  readonly reason: string
  /** For people; cut to 1,024 bytes. */
  readonly note: string
  /** What we were doing, in CamelCase. Default: the reason. */
  readonly action?: string
}

/** What is to be written for an event that occurred. */
export type EventWrite =
  | { readonly kind: 'none' }
  | { readonly kind: 'create' }
  /** It was written as `name` before and goes on: `count` times in all. */
  | { readonly kind: 'series'; readonly name: string; readonly count: number }

interface Series {
  name: string | undefined
  count: number
  writtenAt: number
}

/**
 * Which events are worth a write. One that says the same of the same object is counted and written
 * again only when half of its hour of life is over; an object of which ever new things are said gets
 * `burst` of them, and then one every `refillMs`.
 */
export class EventSeries {
  readonly #series = new Map<string, Series>()
  readonly #allowance = new Map<string, { tokens: number; at: number }>()

  /** `now` is monotonic, in milliseconds. */
  occurred(event: KubeEvent, now: number): EventWrite {
    const key = eventKey(event)
    const series = this.#series.get(key)
    if (series === undefined || now - series.writtenAt > forgetMs) {
      if (!this.#allowed(event.regarding.uid, now)) return { kind: 'none' }
      remember(this.#series, key, { name: undefined, count: 1, writtenAt: now })
      return { kind: 'create' }
    }
    series.count++
    if (series.name === undefined || now - series.writtenAt < refreshMs) return { kind: 'none' }
    series.writtenAt = now
    return { kind: 'series', name: series.name, count: series.count }
  }

  /** The event was created as `name`: later ones of its kind may refer to it. */
  created(event: KubeEvent, name: string): void {
    const series = this.#series.get(eventKey(event))
    if (series !== undefined) series.name = name
  }

  /** The event is not on the server (any more): the next one is created. */
  lost(event: KubeEvent): void {
    this.#series.delete(eventKey(event))
  }

  #allowed(uid: string, now: number): boolean {
    const before = this.#allowance.get(uid) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, before.tokens + (now - before.at) / refillMs)
    remember(this.#allowance, uid, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    return tokens >= 1
  }
}

/** What makes two events the same. */
export function eventKey({ regarding, type, reason, note, action }: KubeEvent): string {
  return JSON.stringify([regarding.uid, type, reason, note, action])
}

/** Sets, and drops the entry longest unchanged when there are too many. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= maxRemembered) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

// The API server keeps an event for an hour after its last write.
const refreshMs = 30 * 60_000
const forgetMs = 60 * 60_000
const burst = 10
const refillMs = 60_000
const maxRemembered = 10_000
