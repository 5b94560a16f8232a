import { createDecipheriv, hash } from 'node:crypto'
import { bmp } from './der.ts'

/** Hashes of RFC 7292 and the length of their input block in bytes (`v` in appendix B.2). */
const blockLengths = { sha1: 64, sha224: 64, sha256: 64, sha384: 128, sha512: 128 } as const
export type KdfHash = keyof typeof blockLengths

/** What the derived bytes are for (RFC 7292, B.3). */
export const purpose = { key: 1, iv: 2, mac: 3 } as const

/** A password as PKCS#12 takes it: two bytes a character with a final NUL (RFC 7292, B.1). */
export function bmpPassword(password: string): Uint8Array {
  return bmp(`${password}\0`)
}

/** The key derivation of RFC 7292, appendix B.2. */
export function deriveBytes(
  hashName: KdfHash,
  password: Uint8Array,
  salt: Uint8Array,
  id: number,
  iterations: number,
  length: number,
): Uint8Array {
  const block = blockLengths[hashName]
  const diversifier = Buffer.alloc(block, id)
  let input: Uint8Array = Buffer.concat([filled(salt, block), filled(password, block)])
  const output: Uint8Array[] = []
  for (let made = 0; made < length; ) {
    let a = hash(hashName, Buffer.concat([diversifier, input]), 'buffer')
    for (let round = 1; round < iterations; round += 1) a = hash(hashName, a, 'buffer')
    output.push(a)
    made += a.length
    input = added(input, filled(a, block).subarray(0, block))
  }
  return Buffer.concat(output).subarray(0, length)
}

export interface TripleDesParameters {
  readonly salt: Uint8Array
  readonly iterations: number
}

/** Key and IV of pbeWithSHA1And3-KeyTripleDES-CBC (RFC 7292, appendix C). */
export function tripleDesKey(
  password: Uint8Array,
  { salt, iterations }: TripleDesParameters,
): { readonly key: Uint8Array; readonly iv: Uint8Array } {
  return {
    key: deriveBytes('sha1', password, salt, purpose.key, iterations, 24),
    iv: deriveBytes('sha1', password, salt, purpose.iv, iterations, 8),
  }
}

export function decryptCbc(
  cipher: string,
  key: Uint8Array,
  iv: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  const decipher = createDecipheriv(cipher, key, iv)
  return Buffer.concat([decipher.update(data), decipher.final()])
}

/** Copies of `bytes` up to a multiple of the block; nothing stays nothing. */
function filled(bytes: Uint8Array, block: number): Uint8Array {
  const result = Buffer.alloc(Math.ceil(bytes.length / block) * block)
  for (let at = 0; at < result.length; at += bytes.length) Buffer.from(bytes).copy(result, at)
  return result
}

/** Adds `addend + 1` to each block of `input` as a big-endian number, without the final carry. */
function added(input: Uint8Array, addend: Uint8Array): Uint8Array {
  const result = Buffer.from(input)
  for (let start = 0; start < result.length; start += addend.length) {
    let carry = 1
    for (let at = addend.length - 1; at >= 0; at -= 1) {
      const sum = (result[start + at] ?? 0) + (addend[at] ?? 0) + carry
      result[start + at] = sum & 0xff
      carry = sum >> 8
    }
  }
  return result
}
