/** Counts by operation, then object (`contoso/ca`, for Entra the client id), then status. */
export type Counters = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>
>

export interface RequestRecord {
  /** Milliseconds since the Unix epoch. */
  readonly time: number
  readonly operation: string
  readonly method: string
  /** The name that was asked, without a port. */
  readonly host: string
  readonly vault: string
  readonly object: string
  readonly version: string
  /** Client id; empty before a token was accepted. */
  readonly clientId: string
  /** What a token of Entra was asked for. */
  readonly resource?: string
  /** 0 when the connection was dropped. */
  readonly status: number
  /** Milliseconds. */
  readonly duration: number
  readonly requestId: string
}

const ringSize = 5000

/** What was asked of the dev vault: never bodies, tokens or key material. */
export class Journal {
  readonly #counts = new Map<string, Map<string, Map<string, number>>>()
  #requests: RequestRecord[] = []

  add(record: RequestRecord): void {
    this.#requests.push(record)
    if (this.#requests.length > 2 * ringSize) this.#requests = this.#requests.slice(-ringSize)
    const object = record.vault === '' ? record.object : `${record.vault}/${record.object}`
    const byObject = child(this.#counts, record.operation, () => new Map())
    const byStatus = child(byObject, object, () => new Map<string, number>())
    const status = record.status === 0 ? 'dropped' : String(record.status)
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
  }

  counters(): Counters {
    return mapped(this.#counts, (byObject) =>
      mapped(byObject, (byStatus) => Object.fromEntries(byStatus)),
    )
  }

  requests(): readonly RequestRecord[] {
    return this.#requests.slice(-ringSize)
  }

  reset(): void {
    this.#counts.clear()
    this.#requests = []
  }
}

function child<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make()
  map.set(key, value)
  return value
}

function mapped<V, R>(map: Map<string, V>, show: (value: V) => R): Record<string, R> {
  return Object.fromEntries([...map].map(([key, value]) => [key, show(value)]))
}
