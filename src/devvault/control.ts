import { IssuerError } from '../error.ts'
import type { Random } from '../random.ts'
import type { Behaviour } from './behaviour.ts'
import { hostOf, vaultKindNamed } from './clouds.ts'
import type { DataPlane } from './data_plane.ts'
import type { EventGrid } from './event_grid.ts'
import type { Faults } from './faults.ts'
import type { Answer } from './http.ts'
import {
  type FederationInput,
  federatedCredentialFrom,
  type Identity,
  type IdentityInput,
  identityFrom,
} from './identities.ts'
import type { Journal } from './journal.ts'
import { newVersionId } from './objects.ts'
import type { Quota } from './quota.ts'
import type { SettableClock } from './settable_clock.ts'
import type { State } from './state.ts'

/** Milliseconds by operation (`keys/sign`), class (`keys`, `entra`) or `*`; the closest one counts. */
export type Latency = Readonly<Record<string, number>>

/** What tests and the admin API steer a running dev vault by. */
export class Control {
  readonly journal: Journal
  readonly faults: Faults
  readonly quota: Quota
  readonly behaviour: Behaviour
  readonly eventGrid: EventGrid
  /** What vaults go by; renewals and the ends of pending operations follow it. */
  readonly clock: SettableClock
  latency: Latency = {}
  readonly #state: State
  readonly #dataPlane: DataPlane
  readonly #random: Random

  constructor(
    parts: {
      readonly journal: Journal
      readonly faults: Faults
      readonly quota: Quota
      readonly behaviour: Behaviour
      readonly eventGrid: EventGrid
      readonly clock: SettableClock
    },
    state: State,
    dataPlane: DataPlane,
    random: Random,
  ) {
    this.journal = parts.journal
    this.faults = parts.faults
    this.quota = parts.quota
    this.behaviour = parts.behaviour
    this.eventGrid = parts.eventGrid
    this.clock = parts.clock
    this.#state = state
    this.#dataPlane = dataPlane
    this.#random = random
  }

  delayOf(operation: string): number {
    const [area = ''] = operation.split('/')
    return this.latency[operation] ?? this.latency[area] ?? this.latency['*'] ?? 0
  }

  identities(): readonly Identity[] {
    return this.#state.identities
  }

  /** Adds an identity, or replaces the one with the same client id. */
  putIdentity(input: IdentityInput): Identity {
    const clientId = input.clientId.toLowerCase()
    const before = this.#state.identities.findIndex((one) => one.clientId === clientId)
    const objectId = this.#state.identities[before]?.objectId ?? this.#guid()
    const identity = identityFrom(input, objectId)
    if (before === -1) this.#state.identities.push(identity)
    else this.#state.identities[before] = identity
    for (const credential of input.federation ?? []) this.#learnKeys(credential)
    return identity
  }

  /** Lets the tokens of a service account stand for an identity. */
  addFederation(clientId: string, input: FederationInput): Identity {
    const index = this.#state.identities.findIndex((one) => one.clientId === clientId.toLowerCase())
    const identity = this.#state.identities[index]
    if (identity === undefined) {
      throw new IssuerError('SpecInvalid', `there is no identity with client id "${clientId}"`)
    }
    const added = federatedCredentialFrom(input)
    const changed = { ...identity, federation: [...identity.federation, added] }
    this.#state.identities[index] = changed
    this.#learnKeys(input)
    return changed
  }

  /**
   * A data plane request without token, permission, quota, fault or count, such as
   * `('contoso', 'POST', 'keys/ca/create', {kty: 'EC'})`; the path may end in a query.
   */
  async manage(vault: string, method: string, path: string, body?: unknown): Promise<Answer> {
    const found = this.#state.vaults.get(vault.toLowerCase())
    if (found === undefined) {
      throw new IssuerError('SpecInvalid', `there is no vault named "${vault}"`)
    }
    const [plain = '', query = ''] = path.split('?')
    return await this.#dataPlane.serveUnchecked({
      vault: found,
      kind: vaultKindNamed(found.name),
      origin: `https://${hostOf(found.name)}`,
      method,
      path: plain.split('/'),
      query: new URLSearchParams(query),
      authorization: undefined,
      body: JSON.stringify(body ?? {}),
    })
  }

  #learnKeys(input: FederationInput): void {
    if (input.jwks) this.#state.issuerKeys.set(input.issuer, input.jwks.keys)
  }

  #guid(): string {
    return newVersionId(this.#random).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
}
