import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateNamesSpec, PrivateKeySpec } from '../../src/api/certificate.ts'
import { misfit, wantedBy } from '../../src/issuance/fit.ts'
import { keyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { dnsName, emailName, ipName, uriName } from '../pki/make_csr.ts'
import { makeCertificate, makeVersion, type VersionParts } from './make_delivery.ts'

interface Case {
  readonly name: string
  readonly offered?: VersionParts
  readonly names?: Partial<CertificateNamesSpec>
  readonly privateKey?: PrivateKeySpec
  readonly usages?: readonly string[]
  /** Absent: it fits. */
  readonly words?: RegExp
}

const rsa = (size: number) => ({ algorithm: 'RSA', size })
const dns = { dnsNames: ['myapp.example.com'] }
const cases: readonly Case[] = [
  { name: 'the same DNS name' },
  {
    name: 'a common name that is one of the DNS names, in the certificate alone',
    offered: { commonName: 'myapp.example.com' },
  },
  {
    name: 'a common name that is one of the DNS names, in the Certificate alone',
    names: { ...dns, commonName: 'myapp.example.com' },
  },
  {
    name: 'a common name of its own',
    offered: { commonName: 'My App' },
    words: /^it is for DNS names \[myapp\.example\.com, My App\], and DNS names \[myapp/,
  },
  {
    name: 'a common name inside a literal subject',
    offered: { commonName: 'My App' },
    names: { ...dns, literalSubject: 'O=Contoso,CN=My App' },
  },
  { name: 'a DNS name less', names: { dnsNames: [...dns.dnsNames, 'b'] }, words: /are asked for/ },
  { name: 'a DNS name more', names: { dnsNames: ['b'] }, words: /are asked for/ },
  {
    name: 'IP addresses in other spellings',
    offered: {
      names: [
        dnsName('myapp.example.com'),
        ipName(10, 0, 0, 1),
        ipName(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
      ],
    },
    names: { ...dns, ipAddresses: ['2001:DB8:0::1', '10.0.0.1'] },
  },
  {
    name: 'an IP address more',
    offered: { names: [dnsName('myapp.example.com'), ipName(10, 0, 0, 1)] },
    words: /IP addresses \[10\.0\.0\.1\]/,
  },
  {
    name: 'the same URI and email address',
    offered: { names: [uriName('spiffe://a/b'), emailName('a@example.com')] },
    names: { dnsNames: [], uris: ['spiffe://a/b'], emailAddresses: ['a@example.com'] },
  },
  {
    name: 'a URI in place of an email address',
    offered: { names: [uriName('spiffe://a/b')] },
    names: { dnsNames: [], emailAddresses: ['a@example.com'] },
    words: /it is for URIs \[spiffe:\/\/a\/b\], and email addresses/,
  },
  { name: 'RSA 2048 for RSA 2048', offered: { keyType: 'RSA 2048' }, privateKey: rsa(2048) },
  {
    name: 'RSA 3072 for RSA 2048',
    offered: { keyType: 'RSA 3072' },
    privateKey: rsa(2048),
    words: /^its key is RSA 3072, and spec\.privateKey asks for RSA 2048$/,
  },
  { name: 'ECDSA for RSA', privateKey: rsa(2048), words: /its key is ECDSA P-256/ },
  {
    name: 'P-384 for P-256',
    offered: { keyType: 'ECDSA P-384' },
    words: /its key is ECDSA P-384, and spec\.privateKey asks for ECDSA 256/,
  },
  {
    name: 'Ed25519 for Ed25519',
    offered: { keyType: 'Ed25519' },
    privateKey: { algorithm: 'Ed25519', size: 0 },
  },
  {
    name: 'usages where the certificate says nothing',
    usages: ['server auth', 'digital signature'],
  },
  {
    name: 'usages that the certificate has',
    offered: { keyUsage: keyUsage.digitalSignature, purposes: [oid.serverAuth, oid.clientAuth] },
    usages: ['digital signature', 'server auth'],
  },
  {
    name: 'key encipherment of an ECDSA key, which is only a default',
    offered: { keyUsage: keyUsage.digitalSignature },
    usages: ['digital signature', 'key encipherment'],
  },
  {
    name: 'key encipherment of an RSA key without it',
    offered: { keyType: 'RSA 2048', keyUsage: keyUsage.digitalSignature },
    privateKey: rsa(2048),
    usages: ['digital signature', 'key encipherment'],
    words: /^it is not good for usages \[key encipherment\]$/,
  },
  {
    name: 'client auth of a server certificate',
    offered: { purposes: [oid.serverAuth] },
    usages: ['client auth', 'server auth'],
    words: /^it is not good for usages \[client auth\]$/,
  },
  {
    name: 'anything of a certificate for any purpose',
    offered: { purposes: [oid.anyExtendedKeyUsage] },
    usages: ['code signing'],
  },
]

for (const { name, offered, names, privateKey, usages = [], words } of cases) {
  test(`${name}: ${words ? 'does not fit' : 'fits'}`, () => {
    const certificate = makeCertificate()
    const wanted = wantedBy({
      ...certificate,
      names: { ...certificate.names, ...names },
      privateKey:
        privateKey ?? (offered?.keyType ? keySpec(offered.keyType) : certificate.privateKey),
    })
    const fault = misfit(makeVersion(offered), { ...wanted, usages })
    if (words) assert.match(fault ?? 'fits', words)
    else assert.equal(fault, undefined)
  })
}

/** As a Certificate that did not think of it: cert-manager's sizes. */
function keySpec(type: string): PrivateKeySpec {
  return type.startsWith('RSA') ? rsa(2048) : { algorithm: 'ECDSA', size: 256 }
}
