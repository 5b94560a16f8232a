import { refuse } from './refusal.ts'

/** cert-manager refuses chains above 95,000 octets (internal/pem/decode.go); bundles stay near it. */
const maxBundle = 131_072
/** cert-manager's bound for one certificate or request. */
const maxRequest = 36_500
const maxBlocks = 64

/** A PEM block with 64 columns and a final line end (RFC 7468 §2). */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** The DER of a certification request: exactly one block and nothing beside it. */
export function readRequestPem(text: string): Uint8Array {
  const what = 'the certificate signing request'
  checkSize(text, maxRequest, what)
  const [block, ...others] = readBlocks(text, what)
  if (block === undefined || others.length > 0) {
    const seen = block === undefined ? 'no PEM block' : `${others.length + 1} PEM blocks`
    return refuse('pem-malformed', `${what} holds ${seen}; expected exactly one`)
  }
  if (block.label !== 'CERTIFICATE REQUEST' && block.label !== 'NEW CERTIFICATE REQUEST') {
    refuseLabel(block.label, 'CERTIFICATE REQUEST', what)
  }
  if (block.textOutside) {
    refuse('pem-malformed', `${what} has text outside its PEM block; send the block alone`)
  }
  return block.der
}

/** The DER of each certificate in a bundle. Text between the blocks is allowed (RFC 7468 §5.2). */
export function readCertificatePem(text: string): readonly Uint8Array[] {
  const what = 'the certificate bundle'
  checkSize(text, maxBundle, what)
  const blocks = readBlocks(text, what)
  if (blocks.length === 0) {
    refuse(
      'pem-malformed',
      `${what} holds no PEM block; expected "-----BEGIN CERTIFICATE-----" and what follows it`,
    )
  }
  for (const { label } of blocks) {
    if (label !== 'CERTIFICATE') refuseLabel(label, 'CERTIFICATE', what)
  }
  return blocks.map((block) => block.der)
}

interface Block {
  readonly label: string
  readonly der: Uint8Array
  /** Whether text, not only white space, stands before this block or after the last. */
  readonly textOutside: boolean
}

const beginLine = /^-----BEGIN ([A-Z0-9 .]+)-----$/
const base64Body = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function readBlocks(text: string, what: string): readonly Block[] {
  const lines = text.split(/\r?\n/).map((line) => line.trimEnd())
  const blocks: Block[] = []
  let textOutside = false
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? ''
    const label = beginLine.exec(line)?.[1]
    if (label === undefined) {
      // Not quoted: it may be a private key on one line.
      if (line.includes('-----')) refuse('pem-malformed', `line ${at + 1} of ${what} is not PEM`)
      if (line !== '') textOutside = true
      continue
    }
    const end = lines.indexOf(`-----END ${label}-----`, at)
    if (end < 0) return refuse('pem-malformed', `${what} has no line "-----END ${label}-----"`)
    // Before the body is looked at: no part of a key may come near a message.
    if (label.includes('PRIVATE KEY')) refusePrivateKey(what)
    const der = decodeBody(lines.slice(at + 1, end), `block ${blocks.length + 1} of ${what}`)
    blocks.push({ label, der, textOutside })
    if (blocks.length > maxBlocks) refuse('pem-too-large', `${what} has over ${maxBlocks} blocks`)
    at = end
  }
  const [last] = blocks.slice(-1)
  return last === undefined ? [] : [...blocks.slice(0, -1), { ...last, textOutside }]
}

function decodeBody(lines: readonly string[], what: string): Uint8Array {
  const body = lines.join('')
  if (body === '' || !base64Body.test(body)) {
    refuse('pem-malformed', `${what} is not base64`)
  }
  const der = Buffer.from(body, 'base64')
  // Padding bits that are set decode to the same octets; two texts would stand for one request.
  if (der.toString('base64') !== body) {
    refuse('pem-malformed', `${what} is base64 that is not canonical`)
  }
  return new Uint8Array(der.buffer, der.byteOffset, der.length)
}

function checkSize(text: string, limit: number, what: string): void {
  if (text.length > limit) {
    refuse('pem-too-large', `${what} has ${text.length} characters; at most ${limit} are read`)
  }
}

function refusePrivateKey(what: string): never {
  return refuse(
    'pem-private-key',
    `${what} holds a private key; remove it, and replace that key if others could read it here`,
  )
}

function refuseLabel(label: string, expected: string, what: string): never {
  return refuse('pem-label', `${what} holds a block ${quote(label)}; expected ${quote(expected)}`)
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64))
}
