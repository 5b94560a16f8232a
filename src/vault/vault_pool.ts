import { createHash } from 'node:crypto'
import type { VaultLocation } from './cloud.ts'
import type { Identity } from './identity.ts'
import type { Vault } from './vault.ts'

/**
 * Vault clients by where, who and how many at once, so that issuers alike share token, connections
 * and the limit of calls in flight. A client that no probe asked for lately is let go.
 */
export class VaultPool {
  readonly #create: (location: VaultLocation, identity: Identity, inFlight: number) => Vault
  readonly #capacity: number
  /** In the order of last use. */
  readonly #vaults = new Map<string, Vault>()

  constructor(
    create: (location: VaultLocation, identity: Identity, inFlight: number) => Vault,
    capacity = 256,
  ) {
    this.#create = create
    this.#capacity = capacity
  }

  get(location: VaultLocation, identity: Identity, inFlight: number): Vault {
    const what = JSON.stringify([location.url, identity, inFlight])
    // An identity can hold a secret or a key, which is not to stay here in the clear.
    const key = createHash('sha256').update(what).digest('base64')
    const vault = this.#vaults.get(key) ?? this.#create(location, identity, inFlight)
    this.#vaults.delete(key)
    this.#vaults.set(key, vault)
    for (const oldest of this.#vaults.keys()) {
      if (this.#vaults.size <= this.#capacity) break
      this.#vaults.delete(oldest)
    }
    return vault
  }
}
