import { literalNames } from '../api/delivery.ts'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import type { CertificateDirectory, DirectoryEntry } from '../vault/certificate_directory.ts'
import type { Deliverer } from './issuer_state.ts'

/** A Certificate, or a request without one, that chooses by annotation. */
export interface Chooser {
  readonly uid: string
  readonly namespace: string
}

/**
 * Most Key Vault certificates that the annotations of one namespace have looked after. What entries
 * name one by one does not count: their issuer looks after it anyhow.
 */
const maxPerNamespace = 100
/** A choice counts for so long after it was dropped, or changing it over and over would cost the vault. */
const afterlifeMs = 300_000

interface Slot {
  readonly users: Set<string>
  /** Of the time after the last user. */
  cancel: () => void
}

/**
 * Has the directory look after what annotations choose, for as long as somebody chooses it. Anybody
 * who may write a Certificate can choose: how much that costs the vault is bounded by namespace.
 */
export class ChosenCertificates {
  readonly #directory: CertificateDirectory
  readonly #clock: Clock
  /** By namespace, then by vault and name. */
  readonly #slots = new Map<string, Map<string, Slot>>()
  /** The namespace of each chooser, and what it chose there. */
  readonly #choices = new Map<string, { readonly namespace: string; readonly slot: string }>()

  constructor(directory: CertificateDirectory, clock: Clock) {
    this.#directory = directory
    this.#clock = clock
  }

  /**
   * From now on the chooser wants this of the deliverer, or nothing.
   *
   * @returns why not, if the namespace has chosen too many
   */
  keep(chooser: Chooser, deliverer: Deliverer, name: string | undefined): string | undefined {
    if (name === undefined || isListed(deliverer, name)) {
      this.forget(chooser.uid)
      return undefined
    }
    if (!this.#claim(chooser, `${deliverer.vaultHost}/${name.toLowerCase()}`)) {
      this.#directory.unwatch(ownerOf(chooser.uid))
      return tooMany(chooser.namespace)
    }
    this.#directory.watch(ownerOf(chooser.uid), deliverer, [name])
    return undefined
  }

  /**
   * What Key Vault holds under a name that the chooser wants from now on.
   *
   * @throws IssuerError `CertificateNotOffered` when the namespace has chosen too many
   */
  async read(
    chooser: Chooser,
    deliverer: Deliverer,
    name: string,
    signal: AbortSignal,
  ): Promise<DirectoryEntry> {
    const refusal = this.keep(chooser, deliverer, name)
    if (refusal !== undefined) throw new IssuerError('CertificateNotOffered', refusal)
    const owner = isListed(deliverer, name) ? deliverer.issuer : ownerOf(chooser.uid)
    return await this.#directory.read(owner, deliverer, name, signal)
  }

  forget(uid: string): void {
    this.#directory.unwatch(ownerOf(uid))
    this.#release(uid)
  }

  #claim({ uid, namespace }: Chooser, name: string): boolean {
    if (this.#choices.get(uid)?.slot === name) return true
    this.#release(uid)
    const slots = this.#slots.get(namespace) ?? new Map<string, Slot>()
    if (!slots.has(name) && slots.size >= maxPerNamespace) return false
    const slot = slots.get(name) ?? { users: new Set(), cancel: () => {} }
    slot.cancel()
    slot.users.add(uid)
    this.#slots.set(namespace, slots.set(name, slot))
    this.#choices.set(uid, { namespace, slot: name })
    return true
  }

  #release(uid: string): void {
    const choice = this.#choices.get(uid)
    if (choice === undefined) return
    this.#choices.delete(uid)
    const slots = this.#slots.get(choice.namespace)
    const slot = slots?.get(choice.slot)
    slot?.users.delete(uid)
    if (slots === undefined || slot === undefined || slot.users.size > 0) return
    slot.cancel = this.#clock.after(afterlifeMs, () => {
      slots.delete(choice.slot)
      if (slots.size === 0) this.#slots.delete(choice.namespace)
    })
  }
}

/** The UID of the chooser who has the directory look after something; `undefined` for another owner. */
export function chooserIn(owner: string): string | undefined {
  return owner.startsWith(ownerPrefix) ? owner.slice(ownerPrefix.length) : undefined
}

function ownerOf(uid: string): string {
  return ownerPrefix + uid
}

const ownerPrefix = 'chooser/'

function isListed({ allowed }: Deliverer, name: string): boolean {
  return literalNames(allowed).some((listed) => listed.toLowerCase() === name.toLowerCase())
}

function tooMany(namespace: string): string {
  return (
    `the annotations of namespace "${namespace}" choose more than ${maxPerNamespace} certificates; ` +
    'drop some and wait 5 min, or ask the operator of the issuer to name each in spec.certificates'
  )
}
