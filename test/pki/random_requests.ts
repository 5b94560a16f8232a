import * as fc from 'fast-check'
import { derTrue, objectIdentifier, sequence } from '../../src/pki/der_writer.ts'
import type { GeneralName } from '../../src/pki/general_names.ts'
import { encodeKeyUsage, readUsages } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import type { SignatureAlgorithmName } from '../../src/pki/signature_algorithms.ts'
import type { IssuanceRequest } from '../../src/pki/template.ts'
import { type KeyType, keyOf } from './keys.ts'
import { type Ca, makeAuthority, makeCa } from './make_ca.ts'
import {
  dnsName,
  emailName,
  extension,
  ipName,
  makeCsr,
  makeName,
  subjectAltName,
  uriName,
} from './make_csr.ts'

/** A request that must be answered, and all that the certificate must say because of it. */
export interface Case {
  readonly csr: string
  readonly request: IssuanceRequest
  readonly signer: Signer
  readonly spki: Uint8Array
  readonly subject: Uint8Array
  readonly names: readonly GeneralName[]
}

export interface Signer {
  readonly title: string
  /** Counterexamples show the title alone. */
  readonly [fc.toStringMethod]: () => string
  readonly ca: Ca
  readonly authority: ReturnType<typeof makeAuthority>
}

const keyTypes: readonly KeyType[] = [
  ...(['ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'RSA 2048', 'Ed25519'] as const),
]

const root = makeCa({ name: 'Root' })
const upper = makeCa({ name: 'Upper', issuer: root, pathLength: 3 })
const lower = makeCa({ name: 'Lower', issuer: upper, pathLength: 2 })
const rsaRoot = makeCa({ name: 'RSA Root', key: keyOf('RSA 2048', 'RSA Root') })

export const signers: readonly Signer[] = [
  signer('a root', root, []),
  signer('an intermediate', lower, [root, upper]),
  signer('an RSA root', rsaRoot, []),
  signer('an RSA root with PSS', rsaRoot, [], 'PS256'),
]

export const cases: fc.Arbitrary<Case> = fc
  .record({
    keyType: fc.constantFrom(...keyTypes),
    commonName: fc.option(texts(), { nil: undefined }),
    organisations: fc.array(texts(), { maxLength: 2 }),
    names: fc.uniqueArray(generalNames(), { maxLength: 6, selector: textOf }),
    isCA: fc.boolean(),
    bits: fc.subarray(['content commitment', 'crl sign']),
    purposes: fc.subarray(['server auth', 'client auth', 'code signing', 'email protection']),
    isStated: fc.boolean(),
    seconds: fc.option(fc.integer({ min: 300, max: 365 * 86_400 }), { nil: undefined }),
    signer: fc.constantFrom(...signers),
  })
  .map((choice) => {
    const { names, isCA, signer: by, seconds } = choice
    // A CA needs a subject, and nobody may be without a name.
    const isNamed = isCA || names.length === 0
    const commonName = choice.commonName ?? (isNamed ? 'somebody' : undefined)
    const organisation = choice.organisations[0]
    const subject = makeName({
      ...(organisation === undefined ? {} : { '2.5.4.10': organisation }),
      ...(commonName === undefined ? {} : { [oid.commonName]: commonName }),
    })
    // Without "digital signature" some keys would be left with nothing.
    const usages = ['digital signature', ...choice.bits, ...choice.purposes]
    const { spki, ...key } = keyOf(choice.keyType, 'random')
    const extensions = [
      ...(names.length === 0 ? [] : [subjectAltName(...names.map(encode))]),
      ...(choice.isStated ? stated(usages, isCA) : []),
    ]
    const csr = makeCsr({
      key: { spki, ...key },
      subject,
      ...(extensions.length === 0 ? { attributes: [] } : { extensions }),
    })
    const durationMs = seconds === undefined ? undefined : seconds * 1000
    return { csr, request: { isCA, usages, durationMs }, signer: by, spki, subject, names }
  })

function signer(
  title: string,
  ca: Ca,
  above: readonly Ca[],
  algorithm?: SignatureAlgorithmName,
): Signer {
  return {
    title,
    [fc.toStringMethod]: () => title,
    ca,
    authority: makeAuthority(ca, above, algorithm),
  }
}

/** What cert-manager writes of a CertificateRequest into its CSR. */
function stated(usages: readonly string[], isCA: boolean): readonly Uint8Array[] {
  const { keyUsage, purposes } = readUsages(usages, isCA)
  const identifiers = purposes.map(objectIdentifier)
  return [
    extension(oid.basicConstraints, sequence(...(isCA ? [derTrue] : [])), true),
    extension(oid.keyUsage, encodeKeyUsage(keyUsage), true),
    ...(identifiers.length === 0 ? [] : [extension(oid.extKeyUsage, sequence(...identifiers))]),
  ]
}

/** Of any script; neither empty nor too long for a common name. */
function texts(): fc.Arbitrary<string> {
  return fc
    .string({ minLength: 1, maxLength: 64, unit: 'binary' })
    .filter((text) => !/\p{Cc}|\p{Cs}/u.test(text) && [...text].length <= 64)
}

function generalNames(): fc.Arbitrary<GeneralName> {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9]{0,8}[a-z])?$/)
  const host = fc
    .tuple(fc.array(label, { minLength: 1, maxLength: 4 }), fc.constantFrom('example', 'test'))
    .map(([labels, top]) => [...labels, top].join('.'))
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 15, maxLength: 15 }).map((tail) => Uint8Array.of(0x20, ...tail)),
  )
  return fc.oneof(
    host.map((value) => ({ kind: 'dns', value }) as const),
    host.map((value) => ({ kind: 'dns', value: `*.${value}` }) as const),
    host.map((value) => ({ kind: 'uri', value: `https://${value}/a?b#c` }) as const),
    fc.tuple(label, host).map(([user, at]) => ({ kind: 'email', value: `${user}@${at}` }) as const),
    octets.map((all) => ({ kind: 'ip', value: hexOf(all), octets: all }) as const),
  )
}

/** Not the text that our own reader makes of an address: that is what is tested. */
function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}

function textOf(name: GeneralName): string {
  return 'value' in name ? `${name.kind} ${String(name.value)}` : name.kind
}

const encoders = { dns: dnsName, email: emailName, uri: uriName } as const

function encode(name: GeneralName): Uint8Array {
  if (name.kind === 'ip') return ipName(...name.octets)
  if (name.kind === 'dns' || name.kind === 'email' || name.kind === 'uri') {
    return encoders[name.kind](name.value)
  }
  throw new TypeError(`no ${name.kind} is made here`)
}
