import type { Clock } from '../clock.ts'

export interface HedgeOptions<T> {
  /** Begins a try; `signal` ends it when another was first. */
  readonly begin: (signal: AbortSignal) => Promise<T>
  /** Gets rid of what a try brought after another was first. */
  readonly discard: (late: T) => void
  readonly everyMs: number
  readonly clock: Clock
}

/**
 * The first of several tries that is settled, well or badly: one more is begun every `everyMs` while
 * there is none. A server that is slow has all the time that `begin` gives it, and one that has lost
 * a request is found out by the next.
 */
export async function hedged<T>(options: HedgeOptions<T>, signal: AbortSignal): Promise<T> {
  const { begin, discard, everyMs, clock } = options
  const first = Promise.withResolvers<T>()
  const tries = new Set<AbortController>()
  let winner: AbortController | undefined
  let cancel: (() => void) | undefined

  const settle = (own: AbortController, result: () => void) => {
    winner = own
    cancel?.()
    for (const other of tries) if (other !== own) other.abort()
    result()
  }
  const attempt = async (own: AbortController) => {
    try {
      const value = await begin(AbortSignal.any([signal, own.signal]))
      if (winner === undefined) settle(own, () => first.resolve(value))
      else discard(value)
    } catch (error) {
      if (winner === undefined) settle(own, () => first.reject(error))
    }
  }
  const start = () => {
    const own = new AbortController()
    tries.add(own)
    cancel = clock.after(everyMs, start)
    void attempt(own)
  }
  start()
  return await first.promise
}
