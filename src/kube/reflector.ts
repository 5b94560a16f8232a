import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import { isObject, type JsonObject, objectAt, textAt } from '../json.ts'
import type { Log } from '../log.ts'
import { jittered, type Random } from '../random.ts'
import { backoffMs } from './backoff.ts'
import type { KubeClient } from './client.ts'
import { isSilence, isTooLarge } from './failure.ts'
import { metaOf, type ObjectMeta } from './object_meta.ts'
import { ObjectStore, type ReflectorEvent } from './object_store.ts'

export type { ReflectorEvent } from './object_store.ts'

export interface ReflectorOptions<T> {
  readonly client: KubeClient
  /** Of the collection, as `resourcePath` makes it. */
  readonly path: string
  /**
   * What the server is to send. A server that cannot select by the field is asked for everything, so
   * `parse` has to leave out the same.
   */
  readonly fieldSelector?: string
  /** Trims an object on arrival; `undefined` for one that is not to be kept. */
  readonly parse: (object: JsonObject) => T | undefined
  /** Told of each change, in order. What it throws is logged. */
  readonly onEvent?: (event: ReflectorEvent<T>) => void
  /** Told once, after the events of the first whole list. */
  readonly onSynced?: () => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** A watch silent for this long is given up. Default 75,000: above the minute between bookmarks. */
  readonly idleTimeoutMs?: number
  /** A list silent for this long is given up. Default 30,000. */
  readonly listTimeoutMs?: number
  readonly pageSize?: number
}

/** How often the server was asked, and how often that failed: for metrics. */
export interface ReflectorCounts {
  readonly lists: number
  readonly watches: number
  readonly failures: number
}

/** A copy of a collection, kept true by list and watch through every kind of fault. */
export class Reflector<T> {
  readonly #options: ReflectorOptions<T>
  readonly #store = new ObjectStore<T>()
  readonly #counts = { lists: 0, watches: 0, failures: 0 }
  #synced = false
  #pageSize: number
  #fieldSelector: string | undefined
  /** Where to resume the watch; undefined when only a new list helps. */
  #version: string | undefined
  #failuresInRow = 0
  /** Of these, the last ones that were refusals. */
  #refusalsInRow = 0
  #quickEnds = 0
  #expiredPagings = 0
  #listedAt = Number.NEGATIVE_INFINITY
  #contactAt: number

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#pageSize = options.pageSize ?? defaultPageSize
    this.#fieldSelector = options.fieldSelector
    this.#contactAt = options.clock.monotonic()
  }

  /** Whether a whole list was once had. */
  get synced(): boolean {
    return this.#synced
  }

  /** Milliseconds since the server last told us anything, bookmarks included. */
  get lastEventAge(): number {
    return this.#options.clock.monotonic() - this.#contactAt
  }

  get counts(): ReflectorCounts {
    return { ...this.#counts }
  }

  get size(): number {
    return this.#store.size
  }

  get(uid: string): T | undefined {
    return this.#store.get(uid)
  }

  byName(namespace: string | undefined, name: string): T | undefined {
    return this.#store.byName(namespace, name)
  }

  values(): Iterable<T> {
    return this.#store.values()
  }

  /** Runs until `signal` is aborted, then resolves; never rejects, and tells of nothing after. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) this.#version = await this.#list(signal)
        await this.#watch(this.#version, signal)
      } catch (thrown) {
        if (!signal.aborted) await this.#recover(issuerErrorFrom(thrown), signal)
      }
    }
  }

  /** Brings the store up to a whole list, page by page, and gives the list's resource version. */
  async #list(signal: AbortSignal): Promise<string> {
    const { client, path, listTimeoutMs, clock } = this.#options
    await this.#pause(this.#listedAt + listFloorMs - clock.monotonic(), signal)
    this.#listedAt = clock.monotonic()
    this.#counts.lists++
    const seen = new Set<string>()
    let version: string | undefined
    let token: string | undefined
    do {
      // Paging that expired twice is given up for one big answer, as client-go does.
      const limit = this.#expiredPagings < 2 ? this.#pageSize : undefined
      const answer = await client
        .request(
          {
            method: 'GET',
            path,
            query: { fieldSelector: this.#fieldSelector, limit, continue: token },
            timeoutMs: listTimeoutMs ?? defaultListTimeoutMs,
          },
          signal,
        )
        .catch((thrown: unknown) => {
          throw this.#pagingFailure(issuerErrorFrom(thrown), token !== undefined)
        })
      const page = parsePage(path, answer)
      version ??= page.version
      token = page.continue
      await this.#take(page.items, seen, signal)
    } while (token !== undefined)
    signal.throwIfAborted()
    this.#deliver(this.#store.retain(seen), signal)
    this.#expiredPagings = 0
    this.#markSynced(signal)
    return version
  }

  #pagingFailure(error: IssuerError, paging: boolean): IssuerError {
    if (isTooLarge(error)) this.#pageSize = Math.max(1, Math.floor(this.#pageSize / 4))
    else if (paging && error.code === 'KubeExpired') this.#expiredPagings++
    return error
  }

  async #take(items: readonly unknown[], seen: Set<string>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let sliceStart = clock.monotonic()
    this.#contactAt = sliceStart
    for (const item of items) {
      const meta = isObject(item) ? metaOf(item) : undefined
      if (!isObject(item) || meta === undefined) throw malformed(this.#options.path, 'list')
      seen.add(meta.uid)
      this.#deliver(this.#store.put(meta, this.#parse(item, meta), 'list'), signal)
      if (clock.monotonic() - sliceStart < sliceMs) continue
      await setImmediate()
      if (signal.aborted) return
      sliceStart = clock.monotonic()
    }
  }

  /** Follows the collection until the server ends the watch; then waits if it ended at once. */
  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { client, path, clock, random } = this.#options
    const idleTimeoutMs = this.#options.idleTimeoutMs ?? defaultIdleTimeoutMs
    const started = clock.monotonic()
    let brought: 'nothing' | 'bookmark' | 'change' = 'nothing'
    this.#counts.watches++
    const query = {
      fieldSelector: this.#fieldSelector,
      resourceVersion: from,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(jittered(watchSeconds, 1 / 3, random)),
    }
    try {
      for await (const { type, object } of client.watch({ path, query, idleTimeoutMs }, signal)) {
        if (signal.aborted) return
        const version = textAt(objectAt(object, 'metadata'), 'resourceVersion')
        if (version === undefined) throw malformed(path, 'watch')
        if (type !== 'BOOKMARK') this.#apply(type, object, signal)
        this.#version = version
        this.#contactAt = clock.monotonic()
        this.#wentWell()
        if (type !== 'BOOKMARK') brought = 'change'
        else if (brought === 'nothing') brought = 'bookmark'
      }
    } catch (error) {
      const lived = clock.monotonic() - started
      if (lived >= healthyMs) this.#wentWell()
      // Not even a bookmark: the server may never come to this version (etcd restored).
      if (brought === 'nothing' && lived >= idleTimeoutMs) this.#version = undefined
      throw error
    }
    const lived = clock.monotonic() - started
    this.#wentWell()
    this.#quickEnds = lived < endFloorMs ? this.#quickEnds + 1 : 0
    if (this.#quickEnds <= 1) return
    // The API server ends the watch of a slow reader under a burst; such a one has brought changes.
    await this.#pause((brought === 'change' ? burstFloorMs : endFloorMs) - lived, signal)
  }

  #apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: JsonObject, signal: AbortSignal): void {
    const meta = metaOf(object)
    if (meta === undefined) throw malformed(this.#options.path, 'watch')
    const changes =
      type === 'DELETED'
        ? this.#store.delete(meta)
        : this.#store.put(meta, this.#parse(object, meta), 'watch')
    this.#deliver(changes, signal)
  }

  #parse(object: JsonObject, meta: ObjectMeta): T | undefined {
    try {
      return this.#options.parse(object)
    } catch (thrown) {
      this.#options.log.error('an object could not be read and is left out', {
        path: this.#options.path,
        namespace: meta.namespace,
        name: meta.name,
        error: issuerErrorFrom(thrown),
      })
      return undefined
    }
  }

  #deliver(events: ReadonlyArray<ReflectorEvent<T>>, signal: AbortSignal): void {
    for (const event of events) this.#tell(signal, () => this.#options.onEvent?.(event))
  }

  #markSynced(signal: AbortSignal): void {
    if (this.#synced || signal.aborted) return
    this.#synced = true
    this.#tell(signal, () => this.#options.onSynced?.())
  }

  #tell(signal: AbortSignal, tell: () => void): void {
    if (signal.aborted) return
    try {
      tell()
    } catch (thrown) {
      const error = issuerErrorFrom(thrown)
      this.#options.log.error('a handler of events failed', { path: this.#options.path, error })
    }
  }

  #wentWell(): void {
    this.#failuresInRow = 0
    this.#refusalsInRow = 0
  }

  async #recover(error: IssuerError, signal: AbortSignal): Promise<void> {
    const { path, random, log } = this.#options
    this.#counts.failures++
    this.#failuresInRow++
    if (error.code === 'KubeInvalid' && this.#fieldSelector !== undefined) {
      const fieldSelector = this.#fieldSelector
      log.warn('the server cannot select by this field: watching everything', {
        path,
        fieldSelector,
        error,
      })
      this.#fieldSelector = undefined
      this.#version = undefined
      return
    }
    if (error.code === 'KubeExpired' || this.#failuresInRow >= failuresToList) {
      this.#version = undefined
    }
    // An API server that comes up refuses everything for a moment: only refusals count here.
    this.#refusalsInRow = error.retry === 'change' ? this.#refusalsInRow + 1 : 0
    const backMs =
      this.#refusalsInRow > 0
        ? backoffMs(this.#refusalsInRow, slowBackoff, random)
        : backoffMs(this.#failuresInRow, fastBackoff, random)
    const retryMs = Math.max(backMs, Math.min(error.retryAfterMs ?? 0, maxRetryAfterMs))
    // Every failure at first, then ever fewer of a long outage.
    if (Number.isInteger(Math.log2(this.#failuresInRow))) {
      // An API server that has just started sends no bookmark of a kind that nobody has written yet.
      const level = isSilence(error) && this.#failuresInRow === 1 ? 'info' : 'warn'
      log[level]('watching failed', { path, error, failures: this.#failuresInRow, retryMs })
    }
    await this.#pause(retryMs, signal)
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return
    await this.#options.clock.sleep(ms, signal).catch(() => undefined)
  }
}

function parsePage(path: string, answer: unknown) {
  const list = isObject(answer) ? answer : undefined
  const metadata = objectAt(list, 'metadata')
  const version = textAt(metadata, 'resourceVersion')
  const items: unknown = list?.items ?? []
  if (version === undefined || !Array.isArray(items)) throw malformed(path, 'list')
  const unread: readonly unknown[] = items
  return { version, continue: textAt(metadata, 'continue'), items: unread }
}

function malformed(path: string, what: 'list' | 'watch'): IssuerError {
  return new IssuerError(
    'KubeUnavailable',
    `the ${what} of ${path} holds something without metadata`,
  )
}

const defaultPageSize = 500
const defaultIdleTimeoutMs = 75_000
const defaultListTimeoutMs = 30_000
// 5 to 10 minutes, so that many watches do not end together.
const watchSeconds = 450
// A watch that lived for this long was well, though nothing happened.
const healthyMs = 2_000
// "At most one a second", with room for timers that come a little early.
const listFloorMs = 1_050
const endFloorMs = 1_000
const burstFloorMs = 100
const sliceMs = 10
const failuresToList = 5
const maxRetryAfterMs = 60_000
// Below 2 s, in which a fault that is over shall be overcome.
const fastBackoff = { baseMs: 250, maxMs: 1_500 }
// Missing rights or a missing CRD: somebody has to act first.
const slowBackoff = { baseMs: 1_000, maxMs: 10_000 }
