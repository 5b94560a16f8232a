/** How slow and how lucky the service is: what nobody can know beforehand, tests and people choose. */
export interface BehaviourSettings {
  /** Milliseconds until issuer `Self` answers. The real service takes about 10 s (recorded). */
  readonly creationMs: number
  /** Milliseconds for which a deletion or recovery shows no effect; 5 to 50 s recorded. */
  readonly deletionMs: number
  /** Whether a requested cancellation takes effect with issuer `Self`; recorded as ignored. */
  readonly honourCancellation: boolean
  /** What the issuer answers to what is created from now on, instead of a certificate. */
  readonly creationFailure?: { readonly code: string; readonly message: string }
}

export const defaultBehaviour: BehaviourSettings = {
  creationMs: 300,
  deletionMs: 0,
  honourCancellation: false,
}

export class Behaviour {
  #settings: BehaviourSettings = defaultBehaviour

  get settings(): BehaviourSettings {
    return this.#settings
  }

  /** What is absent gets its default. */
  set(settings: Partial<BehaviourSettings>): BehaviourSettings {
    this.#settings = { ...defaultBehaviour, ...settings }
    return this.#settings
  }
}
