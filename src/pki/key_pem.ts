import { bundleLimits, decodeBase64, type KeyBundle, type Scratch } from './key_bundle.ts'
import { pkcs8FromPkcs1, pkcs8FromSec1 } from './private_key.ts'
import { refuse } from './refusal.ts'

const what = 'the PEM of the secret'

/**
 * Reads a private key and certificates in any order (RFC 7468, and the older labels of OpenSSL).
 * Text between the blocks and blocks of other kinds are ignored. No part of the text comes near a
 * message: it may be a key.
 *
 * @param scratch gets the keys
 */
export function readKeyPem(text: string, scratch: Scratch): KeyBundle {
  const certificates: Uint8Array[] = []
  const keys: Uint8Array[] = []
  for (const block of readBlocks(text)) {
    if (certificateLabels.has(block.label)) certificates.push(decode(block, scratch).slice())
    if (block.label.endsWith('PRIVATE KEY')) keys.push(readKey(block, scratch))
  }
  if (certificates.length > bundleLimits.certificates) {
    refuse('pem-too-large', `${what} holds more than ${bundleLimits.certificates} certificates`)
  }
  if (keys.length > 1) {
    refuse('key-ambiguous', `${what} holds ${keys.length} private keys; expected exactly one`)
  }
  return { certificates, keys }
}

interface Block {
  readonly label: string
  readonly lines: readonly string[]
}

const certificateLabels: ReadonlySet<string> = new Set(['CERTIFICATE', 'X509 CERTIFICATE'])

const keyLabels: ReadonlyMap<string, (der: Uint8Array, scratch: Scratch) => Uint8Array> = new Map([
  ['PRIVATE KEY', (der: Uint8Array) => der],
  ['EC PRIVATE KEY', pkcs8FromSec1],
  ['RSA PRIVATE KEY', pkcs8FromPkcs1],
])

const beginLine = /^-----BEGIN ([A-Z0-9 ]+)-----$/

function readBlocks(text: string): readonly Block[] {
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim())
  const blocks: Block[] = []
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? ''
    const label = beginLine.exec(line)?.[1]
    if (label === undefined) {
      if (line.includes('-----')) refuse('pem-malformed', `line ${at + 1} of ${what} is not PEM`)
      continue
    }
    const end = lines.indexOf(`-----END ${label}-----`, at)
    if (end < 0) return refuse('pem-malformed', `${what} has a block without its END line`)
    blocks.push({ label, lines: lines.slice(at + 1, end) })
    at = end
  }
  return blocks
}

function readKey(block: Block, scratch: Scratch): Uint8Array {
  const { label, lines } = block
  // RFC 1421 §4.6: how OpenSSL marks an encrypted key of the older labels.
  if (label === 'ENCRYPTED PRIVATE KEY' || lines.some((line) => line.startsWith('Proc-Type:'))) {
    refuse(
      'pem-encrypted',
      `${what} holds an encrypted private key; import the certificate into Key Vault again with its key decrypted (openssl pkey)`,
    )
  }
  const toPkcs8 = keyLabels.get(label)
  if (toPkcs8 === undefined) {
    return refuse(
      'key-unsupported',
      `${what} holds a block ${JSON.stringify(label.slice(0, 64))}; supported are PRIVATE KEY, EC PRIVATE KEY and RSA PRIVATE KEY`,
    )
  }
  return toPkcs8(decode(block, scratch), scratch)
}

const base64Body = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function decode({ label, lines }: Block, scratch: Scratch): Uint8Array {
  const body = lines.join('')
  if (body === '' || !base64Body.test(body)) {
    refuse('pem-malformed', `${what} has a block ${JSON.stringify(label)} that is not base64`)
  }
  return decodeBase64(body, scratch)
}
