import {
  bitString,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  tagged,
  time,
} from '../../src/pki/der_writer.ts'
import { encodeKeyUsage, keyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { keyIdentifier, parseSubjectKey } from '../../src/pki/subject_key.ts'
import { type KeyPair, keyOf, usualSignature } from '../../test/pki/keys.ts'
import { type Ca, type CaParts, day, makeCa, now } from '../../test/pki/make_ca.ts'
import {
  dnsName,
  extension,
  makeName,
  nameAttribute,
  rdn,
  subjectAltName,
} from '../../test/pki/make_csr.ts'
import { accepted } from '../../test/pki/outcomes.ts'
import type { Chain } from './chain.ts'

/** A chain with one thing wrong, and who must say so. */
export interface Fault {
  readonly chain: Chain
  readonly foundBy: readonly string[]
}

const paths = ['OpenSSL', 'crypto/x509', 'GnuTLS']
const linters = ['zlint', 'pkilint']

const leafKey = keyOf('ECDSA P-256', 'wrong leaf')
const otherKey = keyOf('ECDSA P-256', 'other')
const name = 'myapp.example.com'
const root = makeCa({ name: 'Root CA' })
const intermediate = makeCa({ name: 'Issuing CA', issuer: root })

/** Chains that the product would not make, each but for its fault as good as the first. */
export const flawless: Fault = fault('none', [], {})
export const faults: readonly Fault[] = [
  fault('a signature by another key', [...paths, 'pkilint'], { signer: otherKey }),
  fault('an end long ago', paths, { notAfter: now - day }),
  fault('a beginning to come', paths, { notBefore: now + day }),
  fault('a purpose that it has not', paths, { purposes: [oid.clientAuth] }),
  fault('a host that it is not for', paths, { host: 'www.example.com' }),
  fault('an unknown critical extension', paths, {
    more: [extension('1.3.6.1.4.1.99999.1', sequence(), true)],
  }),
  fault('an issuer that is no CA', paths, {
    above: [makeCa({ name: 'Issuing CA', issuer: root, ca: false }), root],
  }),
  fault('an issuer that may not sign certificates', paths, {
    above: [makeCa({ name: 'Issuing CA', issuer: root, keyUsage: keyUsage.cRLSign }), root],
  }),
  fault('a path longer than a CA allows', paths, { above: below({ pathLength: 0 }) }),
  fault('a name outside what a CA permits', paths, {
    above: below({ extensions: [permittingOnly('example.org')] }),
  }),
  fault('a purpose outside those of a CA', paths, {
    above: below({ extensions: [extension(oid.extKeyUsage, purposesOf(oid.clientAuth))] }),
  }),
  fault('a root that is another', paths, {
    above: [intermediate, makeCa({ name: 'Root CA', key: otherKey })],
  }),
  fault('the name of another issuer', [...paths, 'pkilint'], {
    issuer: makeName({ '2.5.4.3': 'Issuing CB' }),
  }),
  // OpenSSL compares what names say and not how (RFC 5280 §7.1).
  fault('the issuer in another kind of string', ['crypto/x509', 'pkilint'], {
    issuer: sequence(rdn(nameAttribute('2.5.4.3', 'Issuing CA', 0x13))),
  }),
  fault('the key identifier of another CA', ['OpenSSL', 'pkilint'], {
    authorityKeyIdentifier: idOf(otherKey),
  }),
  fault('no subject and a subjectAltName that is not critical', linters, {
    subject: makeName(),
  }),
  fault('a serial number of 0', linters, { serialNumber: Uint8Array.of(0) }),
  fault('the right to sign certificates, without being a CA', ['OpenSSL', ...linters], {
    keyUsage: keyUsage.keyCertSign | keyUsage.digitalSignature,
  }),
  fault('no authority key identifier', ['OpenSSL', ...linters], {
    authorityKeyIdentifier: undefined,
  }),
  fault('a DNS name with an empty label', linters, { name: 'myapp..example.com', host: '' }),
]

interface Parts {
  readonly signer?: KeyPair
  readonly issuer?: Uint8Array
  readonly above?: readonly Ca[]
  readonly serialNumber?: Uint8Array
  readonly notBefore?: number
  readonly notAfter?: number
  readonly subject?: Uint8Array
  readonly keyUsage?: number
  readonly name?: string
  readonly authorityKeyIdentifier?: Uint8Array | undefined
  readonly more?: readonly Uint8Array[]
  readonly purposes?: readonly string[]
  readonly host?: string
}

/** A server's certificate under an intermediate, right in all that `parts` does not say. */
function fault(title: string, foundBy: readonly string[], parts: Parts): Fault {
  const above = parts.above ?? [intermediate, root]
  const [ca = intermediate] = above
  const signature = usualSignature(parts.signer ?? ca.key)
  const keyId = 'authorityKeyIdentifier' in parts ? parts.authorityKeyIdentifier : idOf(ca.key)
  const body = sequence(
    explicit(0, tagged(0x02, Uint8Array.of(2))),
    tagged(0x02, parts.serialNumber ?? new Uint8Array(16).fill(0x5a)),
    signature.identifier,
    parts.issuer ?? ca.certificate.subject,
    sequence(time(parts.notBefore ?? now - day), time(parts.notAfter ?? now + day)),
    parts.subject ?? makeName({ '2.5.4.3': name }),
    leafKey.spki,
    explicit(
      3,
      sequence(
        extension(oid.basicConstraints, sequence(), true),
        extension(oid.keyUsage, encodeKeyUsage(parts.keyUsage ?? keyUsage.digitalSignature), true),
        extension(oid.extKeyUsage, purposesOf(oid.serverAuth)),
        subjectAltName(dnsName(parts.name ?? name)),
        extension(oid.subjectKeyIdentifier, octetString(idOf(leafKey))),
        ...(keyId ? [extension(oid.authorityKeyIdentifier, sequence(implicit(0, keyId)))] : []),
        ...(parts.more ?? []),
      ),
    ),
  )
  const der = sequence(body, signature.identifier, bitString(signature.sign(body)))
  const chain = {
    title,
    traits: { identity: title, use: 'server', algorithm: 'ES256', bounds: 'none' },
    certificates: [der, ...above.map((one) => one.certificate.der)],
    purposes: parts.purposes ?? [oid.serverAuth],
    host: parts.host ?? name,
    time: now,
  }
  return { chain, foundBy }
}

/** The usual intermediate below a CA with these parts, which is below the root. */
function below(parts: CaParts): readonly Ca[] {
  const middle = makeCa({ name: 'Middle CA', issuer: root, ...parts })
  return [makeCa({ name: 'Issuing CA', issuer: middle }), middle, root]
}

function permittingOnly(domain: string): Uint8Array {
  const permitted = explicit(0, sequence(dnsName(domain)))
  return extension(oid.nameConstraints, sequence(permitted), true)
}

function purposesOf(...ids: readonly string[]): Uint8Array {
  return sequence(...ids.map(objectIdentifier))
}

function idOf(key: KeyPair): Uint8Array {
  return keyIdentifier(accepted(parseSubjectKey(key.spki)))
}
