/** What Key Vault builds from a policy: certificates it signs itself, and requests for others. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { Random } from '../random.ts'
import {
  bitString,
  integer,
  nullValue,
  oid,
  sequence,
  set,
  smallInteger,
  time,
  tlv,
} from './der.ts'
import { distinguishedName } from './distinguished_name.ts'
import {
  alternativeNames,
  extendedKeyUsage,
  keyIdentifiers,
  keyUsage,
  notACa,
} from './extensions.ts'
import type { CertificatePolicy } from './state.ts'

export interface Validity {
  /** Milliseconds since the Unix epoch. */
  readonly from: number
  readonly to: number
}

/** From ten minutes before `nowMs` to so many months after it (recorded). */
export function validityAt(nowMs: number, months: number): Validity {
  const end = new Date(nowMs)
  const day = end.getUTCDate()
  end.setUTCDate(1)
  end.setUTCMonth(end.getUTCMonth() + months)
  const lastDay = new Date(Date.UTC(end.getUTCFullYear(), end.getUTCMonth() + 1, 0)).getUTCDate()
  end.setUTCDate(Math.min(day, lastDay))
  return { from: nowMs - 600_000, to: end.getTime() }
}

/** DER of a self-signed certificate (issuer `Self`); serial of 16 bytes and extensions as recorded. */
export function selfSignedCertificate(
  { x509_props: properties }: CertificatePolicy,
  key: KeyObject,
  validity: Validity,
  random: Random,
): Uint8Array {
  const publicKey = createPublicKey(key)
  const serial = random.bytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const name = subjectOf(properties.subject)
  const names = alternativeNames(properties.sans ?? {})
  const extensions = [
    ...(properties.key_usage.length > 0 ? [keyUsage(properties.key_usage)] : []),
    notACa,
    ...(properties.ekus.length > 0 ? [extendedKeyUsage(properties.ekus)] : []),
    ...(names ? [names] : []),
    ...keyIdentifiers(publicKey),
  ]
  const algorithm = signatureAlgorithm(key)
  const tbs = sequence(
    tlv(0xa0, smallInteger(2)),
    integer(serial),
    algorithm.id,
    name,
    sequence(time(validity.from), time(validity.to)),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    tlv(0xa3, sequence(...extensions)),
  )
  return sequence(tbs, algorithm.id, bitString(sign(algorithm.hash, tbs, key)))
}

/** DER of a PKCS#10 request (RFC 2986) with the extensions in the recorded order. */
export function certificateRequest(
  { x509_props: properties }: CertificatePolicy,
  key: KeyObject,
): Uint8Array {
  const names = alternativeNames(properties.sans ?? {})
  const extensions = sequence(
    ...(properties.key_usage.length > 0 ? [keyUsage(properties.key_usage)] : []),
    ...(properties.ekus.length > 0 ? [extendedKeyUsage(properties.ekus)] : []),
    ...(names ? [names] : []),
    notACa,
  )
  const extensionRequest = sequence(oid('1.2.840.113549.1.9.14'), set(extensions))
  const algorithm = signatureAlgorithm(key)
  const info = sequence(
    smallInteger(0),
    subjectOf(properties.subject),
    createPublicKey(key).export({ format: 'der', type: 'spki' }),
    tlv(0xa0, extensionRequest),
  )
  return sequence(info, algorithm.id, bitString(sign(algorithm.hash, info, key)))
}

/** Policies were checked; an empty name is for certificates that live by their alternative names. */
function subjectOf(subject: string): Uint8Array {
  return distinguishedName(subject) ?? sequence()
}

interface SignatureAlgorithm {
  readonly id: Uint8Array
  readonly hash: string
}

const byCurve = new Map([
  ['prime256v1', { id: sequence(oid('1.2.840.10045.4.3.2')), hash: 'sha256' }],
  ['secp384r1', { id: sequence(oid('1.2.840.10045.4.3.3')), hash: 'sha384' }],
  ['secp521r1', { id: sequence(oid('1.2.840.10045.4.3.4')), hash: 'sha512' }],
])
const rsa = { id: sequence(oid('1.2.840.113549.1.1.11'), nullValue), hash: 'sha256' }

function signatureAlgorithm(key: KeyObject): SignatureAlgorithm {
  return byCurve.get(key.asymmetricKeyDetails?.namedCurve ?? '') ?? rsa
}
