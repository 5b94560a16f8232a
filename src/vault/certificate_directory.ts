import { once } from 'node:events'
import type { Clock } from '../clock.ts'
import { issuerErrorFrom } from '../error.ts'
import type { Log } from '../log.ts'
import { jittered, type Random } from '../random.ts'
import type { CertificateReader } from './vault.ts'
import { chooseVersion, type Trouble, type UsableVersion } from './version_choice.ts'

/** What Key Vault holds under a name, as last seen. */
export interface DirectoryEntry {
  readonly name: string
  /** The newest usable version; one that was good serves on while its successors are not. */
  readonly current: UsableVersion | undefined
  /** Why `current` is not Key Vault's latest version, or is none, or is not known to be. */
  readonly trouble: Trouble | undefined
}

/** A vault as one identity sees it. */
export interface VaultPlace<V = CertificateReader> {
  readonly vault: V
  readonly vaultHost: string
}

export interface DirectoryOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Between two polls of a certificate, in milliseconds; spread by a tenth. */
  readonly pollIntervalMs: number
  /** Told when an entry says something else than before, with those who want it. */
  readonly onChange: (place: VaultPlace, entry: DirectoryEntry, owners: readonly string[]) => void
}

interface Watched {
  readonly place: VaultPlace
  readonly name: string
  /** Who asks for it; a name that nobody asks for is polled no more. */
  readonly owners: Set<string>
  entry: DirectoryEntry | undefined
  failures: number
  polls: number
  polling: boolean
  again: boolean
  cancel: () => void
  readonly waiting: Array<(entry: DirectoryEntry) => void>
}

/** A certificate in trouble is looked at this often at least, unless all are looked at more often. */
const troubledIntervalMs = 60_000
const firstRetryMs = 1_000

/**
 * The certificates of all vaults that somebody wants delivered, by name. Each is polled once for all
 * who want it, with one request while nothing is wrong; who wants to know is told of changes.
 */
export class CertificateDirectory {
  readonly #options: DirectoryOptions
  readonly #watched = new Map<CertificateReader, Map<string, Watched>>()
  #signal: AbortSignal | undefined

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  /** Polls what is watched until `signal` is aborted. Runs once. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    for (const watched of this.#all()) this.#start(watched)
    if (!signal.aborted) await once(signal, 'abort')
    for (const watched of this.#all()) watched.cancel()
  }

  /** From now on `owner` wants exactly these names of this place. */
  watch(owner: string, place: VaultPlace, names: readonly string[]): void {
    const wanted = new Set(names.map(keyOf))
    for (const watched of this.#all()) {
      if (watched.place.vault !== place.vault || !wanted.has(keyOf(watched.name))) {
        this.#release(watched, owner)
      }
    }
    for (const name of names) this.#want(owner, place, name)
  }

  unwatch(owner: string): void {
    for (const watched of this.#all()) this.#release(watched, owner)
  }

  /** `undefined` for a name that is not watched or was not read yet. */
  entry({ vault }: VaultPlace, name: string): DirectoryEntry | undefined {
    return this.#watched.get(vault)?.get(keyOf(name))?.entry
  }

  /** The entry once it was read; `owner` wants the name from now on. Rejects on abort alone. */
  async read(
    owner: string,
    place: VaultPlace,
    name: string,
    signal: AbortSignal,
  ): Promise<DirectoryEntry> {
    const watched = this.#want(owner, place, name)
    if (watched.entry !== undefined) return watched.entry
    return await new Promise((resolve, reject) => {
      const giveUp = () => reject(signal.reason)
      if (signal.aborted) return giveUp()
      signal.addEventListener('abort', giveUp, { once: true })
      watched.waiting.push((entry) => {
        signal.removeEventListener('abort', giveUp)
        resolve(entry)
      })
    })
  }

  /**
   * Something may have changed in the vault: looked at once, whoever said so.
   *
   * @returns whether anybody wants the certificate
   */
  notice(vaultHost: string, certificateName: string): boolean {
    const meant = [...this.#all()].filter(
      ({ place, name }) => place.vaultHost === vaultHost && keyOf(name) === keyOf(certificateName),
    )
    for (const watched of meant) this.#start(watched)
    return meant.length > 0
  }

  #want(owner: string, place: VaultPlace, name: string): Watched {
    const ofVault = this.#watched.get(place.vault) ?? new Map<string, Watched>()
    this.#watched.set(place.vault, ofVault)
    const before = ofVault.get(keyOf(name))
    if (before !== undefined) {
      before.owners.add(owner)
      return before
    }
    const watched: Watched = {
      place,
      name,
      owners: new Set([owner]),
      entry: undefined,
      failures: 0,
      polls: 0,
      polling: false,
      again: false,
      cancel: () => {},
      waiting: [],
    }
    ofVault.set(keyOf(name), watched)
    this.#start(watched)
    return watched
  }

  #release(watched: Watched, owner: string): void {
    watched.owners.delete(owner)
    if (watched.owners.size > 0) return
    watched.cancel()
    const ofVault = this.#watched.get(watched.place.vault)
    ofVault?.delete(keyOf(watched.name))
    if (ofVault?.size === 0) this.#watched.delete(watched.place.vault)
  }

  #start(watched: Watched): void {
    const signal = this.#signal
    if (signal === undefined || signal.aborted) return
    if (watched.polling) {
      watched.again = true
      return
    }
    watched.cancel()
    watched.polling = true
    void this.#poll(watched, signal)
  }

  /** Never rejects. */
  async #poll(watched: Watched, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const seen = await this.#look(watched, signal)
    watched.polling = false
    if (seen === undefined || signal.aborted || watched.owners.size === 0) return
    watched.polls++
    if (watched.again) {
      watched.again = false
      this.#start(watched)
    } else {
      watched.cancel = clock.after(seen.nextMs, () => this.#start(watched))
    }
    this.#tell(watched, seen.entry)
  }

  /** One look at the vault; `undefined` when it was broken off. */
  async #look(
    watched: Watched,
    signal: AbortSignal,
  ): Promise<{ readonly entry: DirectoryEntry; readonly nextMs: number } | undefined> {
    const { clock } = this.#options
    const { place, name } = watched
    const before = watched.entry?.current
    try {
      const choice = await chooseVersion(place.vault, name, before, clock.now(), signal)
      watched.failures = 0
      const { current, trouble, usableFrom } = choice
      const untilUsable =
        usableFrom === undefined ? Number.POSITIVE_INFINITY : usableFrom - clock.now()
      const interval = this.#intervalMs(watched, trouble)
      return { entry: { name, current, trouble }, nextMs: Math.min(interval, untilUsable) }
    } catch (thrown) {
      if (signal.aborted) return undefined
      const { code, message, retry, retryAfterMs } = issuerErrorFrom(thrown)
      const trouble = { code, message }
      // What is gone from the vault is not handed out; passing trouble takes nothing back.
      const current = code === 'VaultNotFound' ? undefined : before
      return {
        entry: { name, current, trouble },
        nextMs:
          retry === 'backoff'
            ? Math.max(retryAfterMs ?? 0, this.#retryMs(watched))
            : this.#intervalMs(watched, trouble),
      }
    }
  }

  #tell(watched: Watched, entry: DirectoryEntry): void {
    const before = watched.entry
    const waiting = watched.waiting.splice(0)
    watched.entry = entry
    for (const resolve of waiting) resolve(entry)
    if (before !== undefined && isSame(before, entry)) return
    const { log, onChange } = this.#options
    log.info('Key Vault certificate seen', {
      vault: watched.place.vaultHost,
      certificate: entry.name,
      version: entry.current?.version ?? '',
      trouble: entry.trouble?.message ?? '',
    })
    // Who waited for the first look knows.
    if (waiting.length === 0) onChange(watched.place, entry, [...watched.owners])
  }

  #intervalMs({ polls }: Watched, trouble: Trouble | undefined): number {
    const { pollIntervalMs, random } = this.#options
    // All were first read when the process started: from then on they stand apart.
    if (polls === 0) return pollIntervalMs * random.fraction()
    const interval = trouble ? Math.min(troubledIntervalMs, pollIntervalMs) : pollIntervalMs
    return jittered(interval, 0.1, random)
  }

  #retryMs(watched: Watched): number {
    const { pollIntervalMs, random } = this.#options
    const doubled = firstRetryMs * 2 ** Math.min(watched.failures++, 16)
    return jittered(Math.min(doubled, pollIntervalMs), 0.3, random)
  }

  *#all(): Generator<Watched> {
    for (const ofVault of this.#watched.values()) yield* ofVault.values()
  }
}

/** Names of Key Vault objects compare without case. */
function keyOf(name: string): string {
  return name.toLowerCase()
}

function isSame(a: DirectoryEntry, b: DirectoryEntry): boolean {
  return a.current?.version === b.current?.version && a.trouble?.message === b.trouble?.message
}
