import type { Clock } from '../clock.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import { isObject, textMapAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { Reflector } from '../kube/reflector.ts'
import { resourcePath } from '../kube/resource_path.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'
import { certificateName, type VaultNotice, vaultHost } from './delivery.ts'

export interface NoticeBoardOptions {
  readonly kube: KubeClient
  /** Of the controller. */
  readonly namespace: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export const noticeBoardName = 'akv-issuer-notices'
/** Certificates whose last notice is kept; the oldest make room. */
const maxKept = 250

/**
 * A ConfigMap by which a replica that follows hands notices to the one that leads: under the name of
 * each certificate the time of its last notice. It holds nothing else, so that whoever writes to it
 * achieves a look into Key Vault and no more. A merge patch of single keys meets no conflict.
 */
export class NoticeBoard {
  readonly #options: NoticeBoardOptions
  readonly #pending = new Map<string, string>()
  #next: Promise<void> | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(options: NoticeBoardOptions) {
    this.#options = options
  }

  /** Resolves once the API server has them. What comes while a write is under way goes with the next. */
  async post(notices: readonly VaultNotice[], signal: AbortSignal): Promise<void> {
    const time = new Date(this.#options.clock.now()).toISOString()
    for (const notice of notices) this.#pending.set(keyOf(notice), time)
    this.#next ??= this.#writeAfter(this.#last, signal)
    await this.#next
  }

  /** Tells of each notice on it, `old` for those that were there at first, until `signal` is aborted. */
  async follow(
    onNotice: (notice: VaultNotice, age: 'old' | 'new') => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { kube, namespace, clock, random, log } = this.#options
    const reflector = new Reflector({
      client: kube,
      path: resourcePath({ group: '', version: 'v1', resource: 'configmaps', namespace }),
      fieldSelector: `metadata.name=${noticeBoardName}`,
      parse: (object) => textMapAt(object, 'data'),
      onEvent: (event) => {
        if (event.type === 'deleted') return
        const before = event.type === 'updated' ? event.previous : {}
        const age = event.type === 'updated' ? 'new' : 'old'
        for (const [key, time] of Object.entries(event.object)) {
          const notice = before[key] === time ? undefined : noticeOf(key)
          if (notice !== undefined) onNotice(notice, age)
        }
      },
      clock,
      random,
      log,
    })
    await reflector.run(signal)
  }

  async #writeAfter(last: Promise<void>, signal: AbortSignal): Promise<void> {
    await last
    this.#next = undefined
    const data = Object.fromEntries(this.#pending)
    this.#pending.clear()
    const written = this.#write(data, signal)
    this.#last = written.catch(() => undefined)
    await written
  }

  async #write(data: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    const answer = await this.#patch(data, signal)
    const kept = Object.entries(textMapAt(isObject(answer) ? answer : undefined, 'data'))
    if (kept.length <= maxKept) return
    const oldest = kept.sort(([, a], [, b]) => (a < b ? -1 : 1)).slice(0, kept.length - maxKept)
    await this.#patch(Object.fromEntries(oldest.map(([key]) => [key, null])), signal)
  }

  async #patch(data: object, signal: AbortSignal): Promise<unknown> {
    const { kube, namespace } = this.#options
    const at = { group: '', version: 'v1', resource: 'configmaps', namespace }
    const path = resourcePath({ ...at, name: noticeBoardName })
    const contentType = 'application/merge-patch+json'
    const body = { data }
    try {
      return await kube.request({ method: 'PATCH', path, contentType, body, timeoutMs }, signal)
    } catch (cause) {
      const { code, retry } = issuerErrorFrom(cause)
      if (retry !== 'change') throw cause
      throw new IssuerError(
        code,
        `ConfigMap ${namespace}/${noticeBoardName}, by which the leader is told, cannot be written ` +
          '— kubectl apply -f config/rbac/event_grid',
        { cause },
      )
    }
  }
}

/** Below the time that a request of Event Grid may take. */
const timeoutMs = 5_000

/** Both parts are made of what a key of a ConfigMap may have, and neither of `_`. */
function keyOf({ vaultHost: host, certificate }: VaultNotice): string {
  return `${host}_${certificate.toLowerCase()}`
}

function noticeOf(key: string): VaultNotice | undefined {
  const [host = '', certificate = '', ...rest] = key.split('_')
  const isOne = vaultHost.test(host) && certificateName.test(certificate) && rest.length === 0
  return isOne ? { vaultHost: host, certificate } : undefined
}
