import { connect, type SecureClientSessionOptions } from 'node:http2'
import { type Istiod, istiodHost } from './istiod.ts'

export interface CertificateCall {
  /** PEM. */
  readonly csr: string
  /** PEM: by whom istiod's certificate is verified. */
  readonly roots: string
  /** Of a ServiceAccount, for audience istio-ca; or a certificate that istiod gave before. */
  readonly credential:
    | { readonly token: string }
    | { readonly certificate: string; readonly key: string }
  /** Default an hour. */
  readonly seconds?: number
  /** Who is to sign where istiod asks others: `ISTIO_META_CERT_SIGNER` of a proxy. */
  readonly certSigner?: string
}

/** istiod, or the transport, said no. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError'
  /** 16 is UNAUTHENTICATED; -1 means that there was no answer. */
  readonly code: number

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * Calls istio.v1.auth.IstioCertificateService/CreateCertificate over a connection of its own, as a
 * proxy does when it starts.
 *
 * @returns PEM: the leaf, what stands above it, and all roots as one last element
 */
export async function createCertificate(
  istiod: Istiod,
  call: CertificateCall,
): Promise<readonly string[]> {
  const { credential } = call
  const tls: SecureClientSessionOptions = {
    ca: call.roots,
    servername: istiodHost,
    ...('key' in credential && { cert: credential.certificate, key: credential.key }),
  }
  const headers = {
    ':method': 'POST',
    ':path': '/istio.v1.auth.IstioCertificateService/CreateCertificate',
    ':authority': istiodHost,
    'content-type': 'application/grpc',
    te: 'trailers',
    clusterid: istiod.clusterId,
    ...('token' in credential && { authorization: `Bearer ${credential.token}` }),
  }
  const request = Buffer.concat([
    bytesField(1, Buffer.from(call.csr)),
    Uint8Array.of((3 << 3) | wireType.varint, ...varint(call.seconds ?? 3_600)),
    ...(call.certSigner === undefined
      ? []
      : [bytesField(4, struct('CertSigner', call.certSigner))]),
  ])
  const answer = await unary(`https://127.0.0.1:${istiod.securePort}`, tls, headers, request)
  return [...bytesFields(answer)]
    .filter(({ number }) => number === 1)
    .map(({ value }) => value.toString())
}

/** One message there and one back. */
function unary(
  url: string,
  tls: SecureClientSessionOptions,
  headers: Readonly<Record<string, string>>,
  message: Uint8Array,
): Promise<Buffer> {
  const session = connect(url, tls)
  return new Promise<Buffer>((resolve, reject) => {
    const fail = (cause: Error) => reject(new GrpcError(-1, cause.message, { cause }))
    const said = new Map<string, unknown>()
    const chunks: Buffer[] = []
    session.on('error', fail).setTimeout(timeoutMs, () => session.destroy(new Error('no answer')))
    session
      .request(headers)
      .on('error', fail)
      // Without a message the status comes in the headers, else in the trailers.
      .on('response', (fields) => note(fields))
      .on('trailers', (fields) => note(fields))
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('close', () => {
        const code = Number(said.get('grpc-status') ?? -1)
        const reason = decodeURIComponent(String(said.get('grpc-message') ?? 'no grpc-status'))
        if (code === 0) resolve(Buffer.concat(chunks).subarray(prefixLength))
        else reject(new GrpcError(code, reason))
      })
      .end(Buffer.concat([lengthPrefix(message), message]))

    function note(fields: Readonly<Record<string, unknown>>): void {
      for (const [name, value] of Object.entries(fields)) said.set(name, value)
    }
  }).finally(() => session.destroy())
}

const timeoutMs = 10_000

/** gRPC's: uncompressed, and the length. */
function lengthPrefix(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(prefixLength)
  prefix.writeUInt32BE(message.length, 1)
  return prefix
}

const prefixLength = 5

/** Of protobuf's. */
const wireType = { varint: 0, bytes: 2 } as const

function bytesField(number: number, value: Uint8Array): Buffer {
  const head = Uint8Array.of((number << 3) | wireType.bytes, ...varint(value.length))
  return Buffer.concat([head, value])
}

/** A google.protobuf.Struct with one field, a string. */
function struct(key: string, text: string): Uint8Array {
  const value = bytesField(3, Buffer.from(text))
  const entry = Buffer.concat([bytesField(1, Buffer.from(key)), bytesField(2, value)])
  return bytesField(1, entry)
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))]
}

/** The fields of a message that has nothing but strings, messages and bytes. */
function* bytesFields(
  message: Buffer,
): Generator<{ readonly number: number; readonly value: Buffer }> {
  let offset = 0
  const readVarint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 0x80) {
      const octet = message.readUInt8(offset++)
      value += (octet & 0x7f) * shift
      if (octet < 0x80) return value
    }
  }
  while (offset < message.length) {
    const tag = readVarint()
    if ((tag & 7) !== wireType.bytes) throw new Error(`unexpected wire type in tag ${tag}`)
    const length = readVarint()
    yield { number: tag >> 3, value: message.subarray(offset, offset + length) }
    offset += length
  }
}
