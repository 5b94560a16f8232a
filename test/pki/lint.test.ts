import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseCertificate } from '../../src/pki/certificate.ts'
import {
  derTrue,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
} from '../../src/pki/der_writer.ts'
import { encodeKeyUsage, keyUsage } from '../../src/pki/key_usage.ts'
import { lintCertificate, lints } from '../../src/pki/lint.ts'
import { oid } from '../../src/pki/oids.ts'
import { assembleCertificate, encodeBody } from '../../src/pki/tbs.ts'
import { decideFor } from './issue.ts'
import { type CaParts, day, makeAuthority, makeCa, now } from './make_ca.ts'
import { dnsName, extension, makeCsr, makeName, subjectAltName } from './make_csr.ts'
import { accepted } from './outcomes.ts'

const root = makeCa({ name: 'Root', pathLength: 1, notAfter: now + 100 * day })
const authority = makeAuthority(root)
const decision = accepted(decideFor({ csr: makeCsr(), authority }))
const named = makeName({ '2.5.4.3': 'a' })

type Change = Partial<typeof decision>

/** What the lints find in the certificate of a decision that was changed after it was made. */
function findings(change: Change): readonly string[] {
  const body = encodeBody({ ...decision, ...change })
  const der = assembleCertificate(body, authority.algorithm, new Uint8Array(1))
  const certificate = accepted(parseCertificate(der))
  return lintCertificate(certificate, authority)
}

describe('the lints', () => {
  test('find nothing in what is decided', () => assert.deepEqual(findings({}), []))

  const ca = { basicConstraints: { ca: true, pathLength: 0 }, keyUsage: keyUsage.keyCertSign }
  const changes: Readonly<Record<string, Change>> = {
    e_serial_number_not_positive: { serialNumber: new Uint8Array(1) },
    e_serial_number_longer_than_20_octets: { serialNumber: new Uint8Array(21).fill(1) },
    e_serial_number_low_entropy: { serialNumber: Uint8Array.of(1, 2) },
    e_validity_time_not_positive: { notAfter: decision.notBefore },
    e_validity_outside_issuer: { notAfter: now + 101 * day },
    e_subject_public_key_is_issuers: { key: root.certificate.key },
    e_path_len_constraint_improperly_included: { ...ca, keyUsage: keyUsage.cRLSign },
    e_path_len_constraint_not_below_issuer: {
      ...ca,
      basicConstraints: { ca: true, pathLength: 1 },
    },
    e_ca_subject_field_empty: ca,
    e_ext_key_usage_cert_sign_without_ca: { keyUsage: keyUsage.keyCertSign },
    e_ca_key_cert_sign_not_set: { ...ca, subject: named, keyUsage: keyUsage.cRLSign },
    e_key_usage_not_for_key_type: { keyUsage: keyUsage.keyEncipherment },
    e_eku_duplicate: { purposes: [oid.serverAuth, oid.serverAuth] },
    e_subject_empty_without_san: { subjectAltName: undefined },
    w_ext_san_critical_with_subject_dn: { subject: named },
    e_ext_authority_key_identifier_not_issuers: { authorityKeyIdentifier: Uint8Array.of(1) },
  }
  for (const [lint, change] of Object.entries(changes)) {
    test(`find ${lint}`, () => assert.ok(findings(change).includes(lint), findings(change).join()))
  }

  const san = sequence(dnsName('a.example.com'))
  const constraints = sequence(explicit(0, sequence(dnsName('a'))))
  const certificates: Readonly<Record<string, CaParts>> = {
    e_issuer_field_empty: { issuer: makeCa({ subject: makeName() }) },
    e_issuer_dn_not_issuer_subject: { issuer: makeCa({ name: 'Other' }) },
    e_ext_san_not_critical_without_subject: {
      subject: makeName(),
      extensions: [subjectAltName(dnsName('a'))],
    },
    w_ext_san_critical_with_subject_dn: { extensions: [extension(oid.subjectAltName, san, true)] },
    e_ext_subject_key_identifier_missing: { subjectKeyIdentifier: undefined },
    e_ext_subject_key_identifier_critical: {
      subjectKeyIdentifier: undefined,
      extensions: [extension(oid.subjectKeyIdentifier, octetString(Uint8Array.of(1)), true)],
    },
    e_eku_critical_improperly: {
      extensions: [extension(oid.extKeyUsage, sequence(objectIdentifier(oid.serverAuth)), true)],
    },
    e_basic_constraints_missing: { basicConstraints: undefined },
    e_basic_constraints_not_critical: {
      basicConstraints: extension(oid.basicConstraints, sequence(derTrue)),
    },
    e_ext_key_usage_not_critical: {
      keyUsage: 0,
      extensions: [extension(oid.keyUsage, encodeKeyUsage(keyUsage.keyCertSign))],
    },
    e_ext_authority_key_identifier_missing: { authorityKeyIdentifier: undefined },
    e_ext_authority_key_identifier_critical: {
      authorityKeyIdentifier: extension(
        oid.authorityKeyIdentifier,
        sequence(implicit(0, Uint8Array.of(1))),
        true,
      ),
    },
    e_ext_aia_marked_critical: {
      extensions: [extension(oid.authorityInfoAccess, sequence(), true)],
    },
    w_ext_crl_distribution_marked_critical: {
      extensions: [extension(oid.crlDistributionPoints, sequence(), true)],
    },
    e_ext_name_constraints_not_in_ca: {
      ca: false,
      extensions: [extension(oid.nameConstraints, constraints, true)],
    },
    e_ext_name_constraints_not_critical: {
      extensions: [extension(oid.nameConstraints, constraints)],
    },
  }
  for (const [lint, parts] of Object.entries(certificates)) {
    test(`find ${lint} in a certificate`, () => {
      const { certificate } = makeCa({ name: 'Linted', issuer: root, ...parts })
      const found = lintCertificate(certificate, authority)
      assert.ok(found.includes(lint), found.join())
    })
  }

  test('each find something here', () => {
    const found = new Set([...Object.keys(changes), ...Object.keys(certificates)])
    assert.deepEqual(
      [...lints.keys()].filter((lint) => !found.has(lint)),
      [],
    )
  })
})
