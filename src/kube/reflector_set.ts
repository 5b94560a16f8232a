import { once } from 'node:events'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'
import type { KubeClient } from './client.ts'
import { Reflector, type ReflectorEvent, type ReflectorOptions } from './reflector.ts'

export interface ReflectorSetOptions<T> {
  readonly kube: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Told of each change; and that all is deleted which an unfollowed key had. */
  readonly onEvent: (type: ReflectorEvent['type'], object: T, key: string) => void
  /** Told once of each key, after the events of its first whole list. */
  readonly onSynced?: (key: string) => void
}

/** What a reflector of a set copies. */
export type Followed<T> = Pick<ReflectorOptions<T>, 'path' | 'fieldSelector' | 'parse'>

interface Member<T> {
  readonly reflector: Reflector<T>
  readonly stop: AbortController
}

/**
 * Reflectors that come and go, each under a key. They run while the set does: what is followed before
 * starts with it. A set runs once.
 */
export class ReflectorSet<T> {
  readonly #options: ReflectorSetOptions<T>
  readonly #members = new Map<string, Member<T>>()
  readonly #running = new Set<Promise<void>>()
  #signal: AbortSignal | undefined

  constructor(options: ReflectorSetOptions<T>) {
    this.#options = options
  }

  /** Until `signal` is aborted and all have come to rest. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    for (const member of this.#members.values()) this.#start(member)
    if (!signal.aborted) await once(signal, 'abort')
    await Promise.all(this.#running)
  }

  /** `undefined` for a key that is not followed. */
  get(key: string): Reflector<T> | undefined {
    return this.#members.get(key)?.reflector
  }

  /** Leaves a key that is followed as it is. */
  follow(key: string, followed: Followed<T>): void {
    if (this.#members.has(key)) return
    const { kube, clock, random, log, onEvent, onSynced } = this.#options
    const reflector = new Reflector<T>({
      ...followed,
      client: kube,
      clock,
      random,
      log,
      onEvent: ({ type, object }) => onEvent(type, object, key),
      onSynced: () => onSynced?.(key),
    })
    const member = { reflector, stop: new AbortController() }
    this.#members.set(key, member)
    this.#start(member)
  }

  unfollow(key: string): void {
    const member = this.#members.get(key)
    if (member === undefined) return
    this.#members.delete(key)
    member.stop.abort()
    for (const object of member.reflector.values()) this.#options.onEvent('deleted', object, key)
  }

  #start({ reflector, stop }: Member<T>): void {
    const signal = this.#signal
    if (signal === undefined || signal.aborted) return
    const running = reflector
      .run(AbortSignal.any([signal, stop.signal]))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }
}
