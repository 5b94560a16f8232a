import { createPrivateKey, type KeyObject } from 'node:crypto'
// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 does not load without it
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { at, conditionOf, type Json, textAt } from '../harness/json.ts'
import { certificatesIn, type Scene } from '../product/scene.ts'

/** Fields of a Certificate's spec. */
export interface CertificateSpec {
  readonly dnsNames?: readonly string[]
  readonly commonName?: string
  readonly ipAddresses?: readonly string[]
  readonly uris?: readonly string[]
  readonly emailAddresses?: readonly string[]
  readonly otherNames?: readonly { readonly oid: string; readonly utf8Value: string }[]
  readonly literalSubject?: string
  readonly isCA?: boolean
  readonly duration?: string
  readonly usages?: readonly string[]
  readonly privateKey?: {
    readonly algorithm?: 'ECDSA' | 'Ed25519'
    readonly rotationPolicy?: 'Never'
  }
}

/** What cert-manager made of a Certificate, read by a library that is not ours. */
export interface Issued {
  /** As it is in the cluster. */
  readonly certificate: Json
  readonly secret: Json
  readonly privateKey: KeyObject
  readonly leaf: x509.X509Certificate
  /** What follows it in `tls.crt`. */
  readonly above: readonly x509.X509Certificate[]
  /** All of `ca.crt`. */
  readonly roots: readonly x509.X509Certificate[]
  /** `O=Corp.` …, in the order of the encoding. */
  readonly subject: readonly string[]
  /** `dns:…`, `ip:…`, `url:…`, `email:…`, `otherName:TYPE:…`. */
  readonly names: readonly string[]
  readonly keyUsages: readonly string[]
  /** OIDs. */
  readonly purposes: readonly string[]
  readonly isCA: boolean
}

/** Ready for its present spec, and not being issued again. */
export async function issuedNow(scene: Scene, namespace: string, name: string): Promise<Issued> {
  const path = `${certificatesIn(namespace)}/${name}` as const
  const certificate = await scene.object(path, 'Ready and not Issuing', isDone)
  const secretName = textAt(certificate, 'spec', 'secretName')
  const secret = await scene.cluster.must(
    'GET',
    `/api/v1/namespaces/${namespace}/secrets/${secretName}`,
  )
  return readIssued(certificate, secret)
}

function isDone(certificate: Json): boolean {
  const ready = conditionOf(certificate, 'Ready')
  const isCurrent = at(ready, 'observedGeneration') === at(certificate, 'metadata', 'generation')
  const isIssuing = at(conditionOf(certificate, 'Issuing'), 'status') === 'True'
  return at(ready, 'status') === 'True' && isCurrent && !isIssuing
}

function readIssued(certificate: Json, secret: Json): Issued {
  const text = (key: string) => Buffer.from(textAt(secret, 'data', key), 'base64').toString()
  const [leaf, ...above] = certificatesOf(text('tls.crt'))
  if (leaf === undefined) throw new Error('tls.crt holds no certificate')
  return {
    certificate,
    secret,
    privateKey: createPrivateKey(text('tls.key')),
    leaf,
    above,
    roots: certificatesOf(text('ca.crt')),
    subject: leaf.subjectName.toJSON().flatMap(attributesOf),
    names: (leaf.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []).map(
      nameText,
    ),
    keyUsages: keyUsagesOf(leaf),
    purposes: (leaf.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? []).map(String),
    isCA: leaf.getExtension(x509.BasicConstraintsExtension)?.ca ?? false,
  }
}

function certificatesOf(pem: string): readonly x509.X509Certificate[] {
  return x509.PemConverter.decode(pem).map((der) => new x509.X509Certificate(der))
}

function attributesOf(rdn: Readonly<Record<string, readonly unknown[]>>): readonly string[] {
  return Object.entries(rdn).flatMap(([type, values]) => values.map((value) => `${type}=${value}`))
}

function nameText(name: x509.GeneralName): string {
  return name.type === 'upn'
    ? `otherName:1.3.6.1.4.1.311.20.2.3:${name.value}`
    : `${name.type}:${name.value}`
}

function keyUsagesOf(leaf: x509.X509Certificate): readonly string[] {
  const bits = leaf.getExtension(x509.KeyUsagesExtension)?.usages ?? 0
  const flags = Object.entries(x509.KeyUsageFlags)
  return flags.flatMap(([name, bit]) =>
    typeof bit === 'number' && (bits & bit) !== 0 ? [name] : [],
  )
}
