import {
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto'
import type { Random } from '../random.ts'
import { clouds, vaultKinds } from './clouds.ts'
import { bitString, integer, octetString, oid, sequence, set, text, time, tlv } from './der.ts'
import { extension } from './extensions.ts'

export interface ServerIdentity {
  /** The trust anchor for NODE_EXTRA_CA_CERTS. Its key is forgotten once the server has its own. */
  readonly caPem: string
  readonly certificatePem: string
  readonly keyPem: string
}

/** The names of Azure's clouds that a redirected client asks for, and the loopback one. */
const dnsNames = [
  'localhost',
  ...vaultKinds.map(({ suffix }) => `*${suffix}`),
  ...clouds.flatMap(({ authorityHost, aliases }) => [authorityHost, ...aliases]),
]
const loopback = Uint8Array.of(127, 0, 0, 1)

const day = 86_400_000

/** A CA of this start alone and a server certificate of it (RFC 5280). */
export function makeServerIdentity(nowMs: number, random: Random): ServerIdentity {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = commonName('akv-issuer dev vault CA (for trial only)')
  const validity = { from: nowMs - day, to: nowMs + 365 * day }
  const issue = (subject: Uint8Array, key: KeyObject, extensions: readonly Uint8Array[]): string =>
    certificate({ issuer, subject, key, extensions, validity, signer: ca.privateKey, random })

  const caPem = issue(issuer, ca.publicKey, [
    extension('2.5.29.19', true, sequence(Uint8Array.of(0x01, 0x01, 0xff))),
    extension('2.5.29.15', true, bitString(Uint8Array.of(0x06), 1)),
    extension('2.5.29.14', false, octetString(keyIdentifier(ca.publicKey))),
  ])
  const names = dnsNames.map((name) => text(0x82, name))
  const certificatePem = issue(commonName('akv-issuer dev vault'), server.publicKey, [
    extension('2.5.29.19', true, sequence()),
    extension('2.5.29.15', true, bitString(Uint8Array.of(0x80), 7)),
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.35', false, sequence(tlv(0x80, keyIdentifier(ca.publicKey)))),
    extension('2.5.29.17', false, sequence(...names, tlv(0x87, loopback))),
  ])
  const keyPem = server.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  return { caPem, certificatePem, keyPem }
}

interface Template {
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly key: KeyObject
  readonly extensions: readonly Uint8Array[]
  readonly validity: { readonly from: number; readonly to: number }
  readonly signer: KeyObject
  readonly random: Random
}

function certificate(template: Template): string {
  const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'))
  const serial = template.random.bytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const tbs = sequence(
    tlv(0xa0, integer(Uint8Array.of(2))),
    integer(serial),
    ecdsaWithSha256,
    template.issuer,
    sequence(time(template.validity.from), time(template.validity.to)),
    template.subject,
    template.key.export({ format: 'der', type: 'spki' }),
    tlv(0xa3, sequence(...template.extensions)),
  )
  const signature = sign('sha256', tbs, template.signer)
  return new X509Certificate(sequence(tbs, ecdsaWithSha256, bitString(signature))).toString()
}

function commonName(name: string): Uint8Array {
  return sequence(set(sequence(oid('2.5.4.3'), text(0x0c, name))))
}

/** SHA-1 over the key info: any stable value is allowed (RFC 5280, 4.2.1.2). */
function keyIdentifier(key: KeyObject): Uint8Array {
  const spki = createPublicKey(key.export({ format: 'pem', type: 'spki' })).export({
    format: 'der',
    type: 'spki',
  })
  return hash('sha1', spki, 'buffer')
}
