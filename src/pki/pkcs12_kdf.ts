import { hash as digestOf } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Effort } from './effort.ts'

export type KdfHash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

/** What the octets are for: ID of RFC 7292 §B.3. */
const purposes = { key: 1, iv: 2, mac: 3 } as const

export interface KdfInput {
  readonly hash: KdfHash
  /** See `passwordForms`. */
  readonly password: Uint8Array
  readonly salt: Uint8Array
  readonly iterations: number
}

/**
 * How writers turn a password into octets: two a character and a final NUL (RFC 7292 §B.1). For a
 * blank one some leave the NUL out.
 */
export function passwordForms(password: string): readonly Uint8Array[] {
  const terminated = Buffer.from(`${password}\0`, 'utf16le').swap16()
  return password === '' ? [terminated, new Uint8Array()] : [terminated]
}

/** The key derivation of RFC 7292 §B.2. Gives way to other work every few milliseconds. */
export async function deriveOctets(
  { hash, password, salt, iterations }: KdfInput,
  purpose: keyof typeof purposes,
  length: number,
  effort: Effort,
): Promise<Uint8Array> {
  const { digest, block } = sizes[hash]
  const parts = Math.ceil(length / digest)
  effort.spend('pkcs12', parts * iterations)

  const diversifier = new Uint8Array(block).fill(purposes[purpose])
  const input = Buffer.concat([repeated(salt, block), repeated(password, block)])
  const output = new Uint8Array(parts * digest)
  for (let part = 0; part < parts; part += 1) {
    let octets = digestOf(hash, Buffer.concat([diversifier, input]), 'buffer')
    for (let round = 1; round < iterations; round += 1) {
      octets = digestOf(hash, octets, 'buffer')
      if (round % roundsPerTurn === 0) await setImmediate()
    }
    output.set(octets, part * digest)
    addToEach(input, repeated(octets, block))
  }
  return output.subarray(0, length)
}

const roundsPerTurn = 1000

/** Octets of a digest and of what the hash takes at a time: u and v of RFC 7292 §B.2. */
const sizes: Readonly<Record<KdfHash, { readonly digest: number; readonly block: number }>> = {
  sha1: { digest: 20, block: 64 },
  sha256: { digest: 32, block: 64 },
  sha384: { digest: 48, block: 128 },
  sha512: { digest: 64, block: 128 },
}

/** `octets` over and over, up to a multiple of `block`; nothing stays nothing. */
function repeated(octets: Uint8Array, block: number): Uint8Array {
  const result = new Uint8Array(Math.ceil(octets.length / block) * block)
  for (let at = 0; at < result.length; at += octets.length) {
    result.set(octets.subarray(0, result.length - at), at)
  }
  return result
}

/** Adds `addend` + 1 to each block of `input`, big-endian and without the last carry. */
function addToEach(input: Uint8Array, addend: Uint8Array): void {
  for (let start = 0; start < input.length; start += addend.length) {
    let carry = 1
    for (let at = addend.length - 1; at >= 0; at -= 1) {
      const sum = (input[start + at] ?? 0) + (addend[at] ?? 0) + carry
      input[start + at] = sum & 0xff
      carry = sum >> 8
    }
  }
}
