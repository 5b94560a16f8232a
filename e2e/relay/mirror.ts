import assert from 'node:assert/strict'
import type { JsonObject } from '../../src/json.ts'
import { metaOf, type ObjectMeta } from '../../src/kube/object_meta.ts'
import type { ReflectorEvent } from '../../src/kube/reflector.ts'

/** What a reflector keeps of an object in these tests. */
export type Seen = ObjectMeta

export function parseSeen(object: JsonObject): Seen | undefined {
  return metaOf(object)
}

/**
 * A copy made of nothing but the events told. It stays equal to the reflector's only if no change is
 * left out, told twice or told in a wrong order.
 */
export class Mirror {
  readonly #byUid = new Map<string, Seen>()
  /** Events that do not follow from those before. */
  readonly #wrong: Array<ReflectorEvent<Seen>> = []
  #told = 0

  get told(): number {
    return this.#told
  }

  take(event: ReflectorEvent<Seen>): void {
    this.#told++
    const { uid } = event.object
    const known = this.#byUid.get(uid)
    const follows = event.type === 'added' ? known === undefined : known === previousOf(event)
    if (!follows) this.#wrong.push(event)
    if (event.type === 'deleted') this.#byUid.delete(uid)
    else this.#byUid.set(uid, event.object)
  }

  assertEquals(values: Iterable<Seen>): void {
    assert.deepEqual(this.#wrong, [], 'events that do not follow from those before')
    assert.deepEqual(sorted(this.#byUid.values()), sorted(values))
  }
}

export function sorted(seen: Iterable<Seen>): Seen[] {
  return [...seen].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function previousOf(event: ReflectorEvent<Seen>): Seen | undefined {
  return event.type === 'updated' ? event.previous : event.object
}
