import * as fc from 'fast-check'
import type { Authority } from '../../src/pki/authority.ts'
import { readDer } from '../../src/pki/der.ts'
import { derTrue, explicit, objectIdentifier, sequence, tagged } from '../../src/pki/der_writer.ts'
import { encodeKeyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { signatureAlgorithms } from '../../src/pki/signature_algorithms.ts'
import type { IssuanceRequest } from '../../src/pki/template.ts'
import { serverUsages } from './issue.ts'
import { type KeyPair, keyOf, type OwnSignature, usualSignature, x509Signature } from './keys.ts'
import { makeAuthority, makeCa } from './make_ca.ts'
import {
  dnsName,
  emailName,
  extension,
  ipName,
  makeCsrDer,
  makeName,
  otherName,
  subjectAltName,
  uriName,
} from './make_csr.ts'

/** A good CSR to begin from, with what is asked for beside it. */
export interface Seed {
  readonly title: string
  /** Counterexamples show the title alone. */
  readonly [fc.toStringMethod]: () => string
  /** CertificationRequestInfo, DER. */
  readonly info: Uint8Array
  readonly signature: OwnSignature
  readonly request: IssuanceRequest
  readonly authority: Authority
}

export const root = makeCa({ name: 'Root' })
const anyNames = makeAuthority(root)

/** Holds the names of the seeds, so that a changed name is outside. */
const constraints = sequence(
  explicit(0, sequence(dnsName('example.com')), sequence(ipName(10, 0, 0, 0, 255, 0, 0, 0))),
  explicit(1, sequence(uriName('.example.org'))),
)
export const constrained = makeCa({
  name: 'Constrained',
  issuer: root,
  extensions: [extension(oid.nameConstraints, constraints, true)],
})
const fewNames = makeAuthority(constrained, [root])

const usage = extension(oid.keyUsage, encodeKeyUsage(0b101), true)
const serverAuth = extension(oid.extKeyUsage, sequence(objectIdentifier(oid.serverAuth)))
const subject = makeName({ '2.5.4.10': 'Team', '2.5.4.3': 'myapp' })
const upn = otherName('1.3.6.1.4.1.311.20.2.3', 'a@example.com')

const shapes = {
  'as cert-manager writes a server’s': {
    subject,
    extensions: [
      subjectAltName(dnsName('myapp.example.com'), dnsName('*.example.com')),
      usage,
      serverAuth,
    ],
    request: { isCA: false, usages: serverUsages },
    authority: fewNames,
  },
  'with names of every kind and no subject': {
    subject: makeName(),
    extensions: [
      subjectAltName(
        dnsName('a.example.com'),
        ipName(10, 0, 0, 1),
        ipName(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
        uriName('spiffe://cluster.local/ns/a/sa/b'),
        emailName('a.b@example.com'),
        upn,
        tagged(0xa4, makeName({ '2.5.4.3': 'a' })),
      ),
      extension('2.5.29.32', sequence(sequence(objectIdentifier('1.2.3')))),
    ],
    request: { isCA: false, usages: ['client auth', 'digital signature'] },
    authority: anyNames,
  },
  'for a CA': {
    subject: makeName({ '2.5.4.3': 'mesh-ca' }),
    extensions: [
      extension(oid.basicConstraints, sequence(derTrue), true),
      extension(oid.keyUsage, encodeKeyUsage(0b110_0000), true),
      extension(oid.nameConstraints, constraints, true),
    ],
    request: { isCA: true, usages: ['cert sign', 'crl sign'] },
    authority: anyNames,
  },
} as const

const rsa = keyOf('RSA 2048', 'seed')
const signers: Readonly<Record<string, readonly [KeyPair, OwnSignature]>> = {
  'P-256': withUsual(keyOf('ECDSA P-256', 'seed')),
  'RSA 2048': withUsual(rsa),
  'RSA 2048 with PSS': [rsa, x509Signature(rsa, signatureAlgorithms.PS256)],
  Ed25519: withUsual(keyOf('Ed25519', 'seed')),
}

export const seeds: readonly Seed[] = Object.entries(shapes).flatMap(([shape, parts]) =>
  Object.entries(signers).map(([signer, [key, signature]]) => {
    const der = makeCsrDer({ key, subject: parts.subject, extensions: parts.extensions })
    const info = readDer(der, 'the seed').children[0]?.der ?? new Uint8Array()
    const { request, authority } = parts
    const title = `${shape}, ${signer}`
    return { title, [fc.toStringMethod]: () => title, info, signature, request, authority }
  }),
)

function withUsual(key: KeyPair): readonly [KeyPair, OwnSignature] {
  return [key, usualSignature(key)]
}
