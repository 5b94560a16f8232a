/** Soft deletion, the same for keys, certificates and secrets. */
import { deletedNotFound, type ObjectKind, objectNotFound, vaultError } from './errors.ts'
import type { Answer, Json } from './http.ts'
import { type Found, page, recoverableDays, seconds } from './objects.ts'
import type { Call } from './operation.ts'
import type { Collection, DeletedEntry, Version } from './state.ts'

/** Moves an object to the deleted ones. */
export function remove<V extends Version>(
  call: Call,
  collection: Collection<V>,
  kind: ObjectKind,
): FoundDeleted<V> {
  const id = call.name.toLowerCase()
  const entry = collection.live.get(id)
  if (!entry) throw objectNotFound(kind, call.name)
  collection.live.delete(id)
  const shownFrom = call.nowMs + call.behaviour.deletionMs
  const deleted = { entry, deletedDate: seconds(call.nowMs), shownFrom }
  collection.deleted.set(id, deleted)
  return foundIn(deleted, kind, call.name)
}

export interface FoundDeleted<V> extends Found<V> {
  readonly deletedDate: number
}

/** Recorded: for a while after the deletion the deleted object is not there yet. */
export function findDeleted<V extends Version>(
  call: Call,
  collection: Collection<V>,
  kind: ObjectKind,
): FoundDeleted<V> {
  const deleted = collection.deleted.get(call.name.toLowerCase())
  if (!deleted || call.nowMs < deleted.shownFrom) throw deletedNotFound(kind, call.name)
  return foundIn(deleted, kind, call.name)
}

/** Live again, at once or after a while as well (recorded). */
export function recover<V extends Version>(
  call: Call,
  collection: Collection<V>,
  kind: ObjectKind,
): FoundDeleted<V> {
  const found = findSettled(call, collection, kind)
  found.deleted.recoveredAt = call.nowMs + call.behaviour.deletionMs
  settleDeleted(collection, call.nowMs)
  return foundIn(found.deleted, kind, call.name)
}

export function purge<V extends Version>(
  call: Call,
  collection: Collection<V>,
  kind: ObjectKind,
): Answer {
  findSettled(call, collection, kind)
  collection.deleted.delete(call.name.toLowerCase())
  return { status: 204 }
}

/** What a deleted object shows beside its bundle (recorded). */
export function deletion(call: Call, plural: string, name: string, deletedDate: number): Json {
  return {
    recoveryId: `${call.origin}/deleted${plural}/${name}`,
    deletedDate,
    scheduledPurgeDate: deletedDate + recoverableDays * 86_400,
  }
}

/** A page of `deletedkeys` and its like; `show` gives the item of a live list. */
export function deletedPage<V extends Version>(
  call: Call,
  collection: Collection<V>,
  plural: string,
  show: (name: string, version: V) => Json,
): Answer {
  const items = [...collection.deleted.values()]
    .filter(({ shownFrom }) => shownFrom <= call.nowMs)
    .flatMap(({ entry: { name, versions }, deletedDate }) => {
      const latest = versions.at(-1)
      if (latest === undefined) return []
      const item = { ...deletion(call, plural, name, deletedDate), ...show(name, latest) }
      return [{ id: name.toLowerCase(), item }]
    })
  return page(call, `deleted${plural}`, items)
}

/** Recoveries that take effect, and purges at the end of the retention; true when there were any. */
export function settleDeleted<V>(collection: Collection<V>, nowMs: number): boolean {
  let changed = false
  for (const [id, deleted] of collection.deleted) {
    const recovered = deleted.recoveredAt !== undefined && deleted.recoveredAt <= nowMs
    if (!recovered && purgeTime(deleted) > nowMs) continue
    collection.deleted.delete(id)
    if (recovered) collection.live.set(id, deleted.entry)
    changed = true
  }
  return changed
}

/** When `settleDeleted` has something to do next. */
export function nextOfDeleted<V>(collection: Collection<V>): number {
  const times = [...collection.deleted.values()].map((deleted) =>
    Math.min(purgeTime(deleted), deleted.recoveredAt ?? Number.POSITIVE_INFINITY),
  )
  return Math.min(...times)
}

function purgeTime({ deletedDate }: { readonly deletedDate: number }): number {
  return (deletedDate + recoverableDays * 86_400) * 1000
}

function foundIn<V extends Version>(
  { entry, deletedDate }: DeletedEntry<V>,
  kind: ObjectKind,
  asked: string,
): FoundDeleted<V> {
  const version = entry.versions.at(-1)
  if (version === undefined) throw deletedNotFound(kind, asked)
  return { name: entry.name, versions: entry.versions, version, deletedDate }
}

/** Believed: nothing can be done to an object while its deletion is going on. */
function findSettled<V extends Version>(
  call: Call,
  collection: Collection<V>,
  kind: ObjectKind,
): { readonly deleted: DeletedEntry<V> } {
  const deleted = collection.deleted.get(call.name.toLowerCase())
  if (!deleted) throw deletedNotFound(kind, call.name)
  if (call.nowMs >= deleted.shownFrom) return { deleted }
  throw vaultError(
    409,
    'Conflict',
    `${deleted.entry.name} is currently being deleted.`,
    'ObjectIsBeingDeleted',
  )
}
