/**
 * Lets at most `limit` holders in at once; the others wait in the order they came. One gate stands
 * before each vault and identity: what a vault is asked at once stays bounded in any storm.
 */
export class Gate {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor(limit: number) {
    this.#free = limit
  }

  /** Runs `work` once there is room. Rejects with the signal's reason if that comes first. */
  async through<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  get waiting(): number {
    return this.#waiting.length
  }

  #enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(admit)
    })
  }

  #leave(): void {
    // The place is handed on rather than freed, so that nobody overtakes the queue.
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}
