import type { ObjectMeta } from './object_meta.ts'

export type ReflectorEvent<T = unknown> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'updated'; readonly object: T; readonly previous: T }
  /** `object` is the last state that was known. */
  | { readonly type: 'deleted'; readonly object: T }

/**
 * Objects by UID and by name. Each method says what it changed: an object that was deleted and made
 * again under its name is a deletion and an addition.
 */
export class ObjectStore<T> {
  readonly #byUid = new Map<string, { readonly meta: ObjectMeta; readonly object: T }>()
  readonly #uidByName = new Map<string, string>()

  get size(): number {
    return this.#byUid.size
  }

  get(uid: string): T | undefined {
    return this.#byUid.get(uid)?.object
  }

  byName(namespace: string | undefined, name: string): T | undefined {
    const uid = this.#uidByName.get(nameKey({ namespace, name }))
    return uid === undefined ? undefined : this.get(uid)
  }

  *values(): Generator<T> {
    for (const { object } of this.#byUid.values()) yield object
  }

  /**
   * `object` undefined: not one to keep. A `watch` may repeat the past and never replaces newer by
   * older; a `list` is the truth even then, as after etcd was restored from a backup.
   */
  put(meta: ObjectMeta, object: T | undefined, from: 'list' | 'watch'): ReflectorEvent<T>[] {
    const stored = this.#byUid.get(meta.uid)
    const version = stored?.meta.resourceVersion
    if (version === meta.resourceVersion) return []
    if (from === 'watch' && version && isOlder(meta.resourceVersion, version)) return []
    if (object === undefined) return this.delete(meta)

    const changes: ReflectorEvent<T>[] = []
    const namesake = this.#uidByName.get(nameKey(meta))
    if (namesake !== undefined && namesake !== meta.uid) changes.push(...this.#drop(namesake))
    this.#byUid.set(meta.uid, { meta, object })
    this.#uidByName.set(nameKey(meta), meta.uid)
    changes.push(
      stored ? { type: 'updated', object, previous: stored.object } : { type: 'added', object },
    )
    return changes
  }

  delete(meta: ObjectMeta): ReflectorEvent<T>[] {
    return this.#drop(meta.uid)
  }

  /** Drops what a whole list did not hold. */
  retain(uids: ReadonlySet<string>): ReflectorEvent<T>[] {
    const gone = [...this.#byUid.keys()].filter((uid) => !uids.has(uid))
    return gone.flatMap((uid) => this.#drop(uid))
  }

  #drop(uid: string): ReflectorEvent<T>[] {
    const stored = this.#byUid.get(uid)
    if (stored === undefined) return []
    this.#byUid.delete(uid)
    const key = nameKey(stored.meta)
    if (this.#uidByName.get(key) === uid) this.#uidByName.delete(key)
    return [{ type: 'deleted', object: stored.object }]
  }
}

/**
 * Whether resource version `a` is before `b`. They are decimal numbers of any length and ordered
 * within one resource (KEP-5504, Kubernetes 1.35); with anything else nothing can be said: false.
 */
export function isOlder(a: string, b: string): boolean {
  if (!decimal.test(a) || !decimal.test(b)) return false
  return a.length === b.length ? a < b : a.length < b.length
}

const decimal = /^(0|[1-9][0-9]*)$/

function nameKey({ namespace, name }: Pick<ObjectMeta, 'namespace' | 'name'>): string {
  return `${namespace ?? ''}/${name}`
}
