/** What a Key Vault secret holds, as found: nothing in it has been looked at yet. */
export interface KeyBundle {
  /** DER, in the order of the secret. */
  readonly certificates: readonly Uint8Array[]
  /** PKCS #8, DER, unencrypted; wiped with the `Scratch` they were read with. */
  readonly keys: readonly Uint8Array[]
}

/** More of either is no certificate with its chain. */
export const bundleLimits = { certificates: 64, keys: 8 } as const

/** The buffers that held key material while it was read, to be zeroed at the end of the reading. */
export class Scratch {
  readonly #buffers: Uint8Array[] = []

  /** Marks `buffer` for wiping and returns it. */
  keep<T extends Uint8Array>(buffer: T): T {
    this.#buffers.push(buffer)
    return buffer
  }

  wipe(): void {
    for (const buffer of this.#buffers.splice(0)) buffer.fill(0)
  }
}

/**
 * Decodes base64, ignoring what is not base64, into a buffer of its own: small Buffers are views of
 * one that all share, so what passes through them would stay there.
 */
export function decodeBase64(text: string, scratch: Scratch): Uint8Array {
  const octets = scratch.keep(new Uint8Array(Buffer.byteLength(text, 'base64')))
  const length = Buffer.from(octets.buffer).write(text, 'base64')
  return octets.subarray(0, length)
}
