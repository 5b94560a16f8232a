import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import { sameBytes } from '../pki/bytes.ts'
import { type KeyMaterial, readKeyMaterial } from '../pki/key_material.ts'
import type { Vault } from '../vault/vault.ts'
import type { UsableVersion } from '../vault/version_choice.ts'

/** Long enough for all Certificates that take a version at once; keys are not kept longer. */
const keptMs = 30_000

/**
 * Keys and chains of versions, read once for all who take a version at about the same time. Nothing
 * of it is written anywhere.
 */
export class KeyMaterialCache {
  readonly #clock: Clock
  readonly #reading = new Map<Vault, Map<string, Promise<KeyMaterial>>>()
  readonly #forgetting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @throws IssuerError of the vault, `CertificateInvalid` for a secret that gives no pair, or
   * `VaultAnswerInvalid` when the secret holds another certificate than the version
   */
  async get(
    vault: Vault,
    name: string,
    version: UsableVersion,
    signal: AbortSignal,
  ): Promise<KeyMaterial> {
    const ofVault = this.#reading.get(vault) ?? new Map<string, Promise<KeyMaterial>>()
    this.#reading.set(vault, ofVault)
    const id = `${name.toLowerCase()}/${version.version}`
    const before = ofVault.get(id)
    if (before !== undefined) return await before
    // One reading for all: the signal must be the controller's own, not that of one request.
    const reading = readMaterial(vault, name, version, signal)
    ofVault.set(id, reading)
    const forget = () => {
      ofVault.delete(id)
      if (ofVault.size === 0) this.#reading.delete(vault)
    }
    try {
      const material = await reading
      this.#forgetLater(forget)
      return material
    } catch (error) {
      forget()
      throw error
    }
  }

  /** Forgets everything at once. */
  clear(): void {
    for (const cancel of this.#forgetting) cancel()
    this.#forgetting.clear()
    this.#reading.clear()
  }

  #forgetLater(forget: () => void): void {
    const cancel = this.#clock.after(keptMs, () => {
      this.#forgetting.delete(cancel)
      forget()
    })
    this.#forgetting.add(cancel)
  }
}

/**
 * Reads key and chain of a version, and holds them against the version itself.
 *
 * @throws IssuerError as `KeyMaterialCache.get` does
 */
export async function readMaterial(
  vault: Vault,
  name: string,
  { version, certificate }: UsableVersion,
  signal: AbortSignal,
): Promise<KeyMaterial> {
  const secret = await vault.secret({ name, version }, signal)
  const material = await readKeyMaterial(secret)
  if (!material.ok) {
    throw new IssuerError(
      'CertificateInvalid',
      `version ${version} of certificate "${name}" cannot be delivered: ${material.refusal.message}`,
    )
  }
  if (sameBytes(material.value.certificate.der, certificate.der)) return material.value
  throw new IssuerError(
    'VaultAnswerInvalid',
    `the secret of version ${version} of certificate "${name}" holds another certificate than the ` +
      'version itself; nothing is delivered',
  )
}
