import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { derNull, derTrue, octetString, sequence } from '../../src/pki/der_writer.ts'
import { keyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import { type Ask, decideFor } from './issue.ts'
import { keyOf } from './keys.ts'
import { day, makeAuthority, makeCa, now } from './make_ca.ts'
import {
  dnsName,
  emailName,
  extension,
  ipName,
  keyUsageExtension,
  makeCsr,
  otherName,
  purposesExtension,
  subjectAltName,
  uriName,
} from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

const root = makeCa({ name: 'Root' })
const authority = makeAuthority(root)
const san = subjectAltName(dnsName('myapp.example.com'))
const minute = 60_000

function decideWith(ask: Partial<Ask> = {}) {
  return decideFor({ csr: makeCsr(), authority, ...ask })
}

function basicConstraints(...parts: readonly Uint8Array[]): Uint8Array {
  return extension(oid.basicConstraints, sequence(...parts), true)
}

const otherNameCsr = makeCsr({ extensions: [subjectAltName(otherName('1.2.3', 'a'))] })

test('otherNames are given where the kind is', () => {
  accepted(decideWith({ csr: otherNameCsr, limits: { nameKinds: ['otherName'] } }))
})

describe('a request is refused', () => {
  const serverOnly = makeCa({ extensions: [purposesExtension(oid.serverAuth)] })
  const dying = makeAuthority(makeCa({ name: 'Dying', notAfter: now + minute }))
  const cases: readonly (readonly [string, Rule, RegExp, Partial<Ask>])[] = [
    ['for isCA', 'is-ca-refused', /without isCA/, { request: { isCA: true } }],
    [
      'whose CSR says CA:TRUE',
      'is-ca-contradiction',
      /CSR says isCA true .* CertificateRequest says isCA false/,
      { csr: makeCsr({ extensions: [san, basicConstraints(derTrue)] }) },
    ],
    [
      'whose CSR says CA:FALSE and that asks for isCA',
      'is-ca-contradiction',
      /isCA false .* isCA true/,
      { csr: makeCsr({ extensions: [san, basicConstraints()] }), request: { isCA: true } },
    ],
    [
      'whose CSR states other key usages',
      'usages-contradiction',
      /KeyUsages \[digital signature\] of the CSR .* \[digital signature, key encipherment\]/,
      {
        csr: makeCsr({
          extensions: [
            san,
            keyUsageExtension(keyUsage.digitalSignature),
            purposesExtension(oid.serverAuth),
          ],
        }),
      },
    ],
    [
      'whose CSR states other key purposes',
      'usages-contradiction',
      /ExtKeyUsages \[client auth\] of the CSR .* \[server auth\]/,
      {
        csr: makeCsr({
          extensions: [
            san,
            keyUsageExtension(keyUsage.digitalSignature | keyUsage.keyEncipherment),
            purposesExtension(oid.clientAuth),
          ],
        }),
      },
    ],
    [
      'whose CSR states a purpose cert-manager does not know',
      'usages-contradiction',
      /1\.2\.3/,
      {
        csr: makeCsr({
          extensions: [
            san,
            keyUsageExtension(keyUsage.digitalSignature | keyUsage.keyEncipherment),
            purposesExtension(oid.serverAuth, '1.2.3'),
          ],
        }),
      },
    ],
    [
      'for an unknown usage',
      'usage-unknown',
      /"server-auth"/,
      { request: { usages: ['server-auth'] } },
    ],
    ['for cert sign', 'usage-unfit-for-leaf', /cert sign/, { request: { usages: ['cert sign'] } }],
    [
      'for encipher only without key agreement',
      'usage-unfit-for-leaf',
      /key agreement/,
      { request: { usages: ['digital signature', 'encipher only'] } },
    ],
    [
      'for timestamping beside another purpose',
      'usage-unfit-for-leaf',
      /timestamping/,
      { request: { usages: ['timestamping', 'server auth'] } },
    ],
    [
      'for nothing but key encipherment with an EC key',
      'usage-unfit-for-key',
      /digital signature/,
      { request: { usages: ['key encipherment', 'server auth'] } },
    ],
    [
      'for a purpose outside the CA’s',
      'usage-outside-ca',
      /\[client auth\].*\[server auth\]/,
      { authority: makeAuthority(serverOnly), request: { usages: ['client auth'] } },
    ],
    [
      'for the CA’s own key',
      'subject-key-is-ca-key',
      /new key/,
      { csr: makeCsr({ key: root.key }) },
    ],
    ['without any name', 'identity-missing', /name/, { csr: makeCsr({ attributes: [] }) }],
    [
      'for an IP address',
      'san-kind',
      /IP address "10.0.0.1"/,
      { csr: makeCsr({ extensions: [subjectAltName(dnsName('a.b'), ipName(10, 0, 0, 1))] }) },
    ],
    [
      'for a URI',
      'san-kind',
      /URI "spiffe:\/\/td\/a"/,
      { csr: makeCsr({ extensions: [subjectAltName(uriName('spiffe://td/a'))] }) },
    ],
    [
      'for an email address',
      'san-kind',
      /email address "a@example.com"/,
      { csr: makeCsr({ extensions: [subjectAltName(emailName('a@example.com'))] }) },
    ],
    ['for an otherName', 'san-kind', /otherName of type 1\.2\.3/, { csr: otherNameCsr }],
    ['for 4 minutes', 'duration-too-short', /240s|4m.*5m/, { request: { durationMs: 4 * minute } }],
    ['for two years', 'duration-too-long', /17520h.*8760h/, { request: { durationMs: 730 * day } }],
    [
      'when the CA expires in a minute',
      'ca-expires-too-soon',
      /CN=Dying.*renew/,
      { authority: dying },
    ],
  ]
  for (const [title, rule, words, ask] of cases) {
    test(`${title}: ${rule}`, () => assertRefused(decideWith(ask), rule, words))
  }
})

describe('what is left out', () => {
  test('is in the notes', () => {
    const policies = extension('2.5.29.32', sequence(derNull))
    const keyId = extension(oid.subjectKeyIdentifier, octetString(Uint8Array.of(1)))
    const csr = makeCsr({ key: keyOf('RSA 2048'), extensions: [san, policies, keyId] })
    assert.deepEqual(accepted(decideWith({ csr })).notes, [
      'extension 2.5.29.32 of the CSR is not supported and was left out',
      'extension 2.5.29.14 of the CSR is not supported and was left out',
    ])
  })
})
