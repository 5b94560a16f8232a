import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { parseCertificate } from '../../src/pki/certificate.ts'
import { type Element, readDer } from '../../src/pki/der.ts'
import { tagged } from '../../src/pki/der_writer.ts'
import type { GeneralName } from '../../src/pki/general_names.ts'
import { keyUsage, readUsages } from '../../src/pki/key_usage.ts'
import { type IssuedCertificate, seal } from '../../src/pki/seal.ts'
import { encodeTbs } from '../../src/pki/tbs.ts'
import { decideFor, limits } from './issue.ts'
import { vaultSign } from './keys.ts'
import { now } from './make_ca.ts'
import { accepted } from './outcomes.ts'
import { type Case, cases, type Signer, signers } from './random_requests.ts'

const runs = 150
const askedLimits = {
  ...limits,
  nameKinds: ['dns', 'ip', 'uri', 'email'],
  ca: { maxPathLength: 1 },
} as const

describe('whatever a good request asks for', () => {
  const issued = new Map<Signer, IssuedCertificate[]>(signers.map((one) => [one, []]))

  test('the certificate says it, and reads back octet by octet', () => {
    // A property that is not async has run when it returns.
    void fc.assert(
      fc.property(cases, (one) => {
        const certificate = issueFor(one)
        checkSaid(one, certificate)
        checkNode(one, certificate)
        assert.deepEqual(encode(readDer(certificate.der, 'it')), certificate.der)
        issued.get(one.signer)?.push(certificate)
      }),
      { numRuns: runs },
    )
  })

  for (const signer of signers) {
    test(`OpenSSL accepts the chain up to ${signer.title}`, (t) => {
      const sample = issued.get(signer)?.slice(0, 20) ?? []
      t.diagnostic(`${sample.length} certificates`)
      assert.ok(sample.length > 0)
      opensslVerifyAll(sample)
    })
  }
})

function issueFor({ csr, request, signer: { authority, ca } }: Case): IssuedCertificate {
  const tbs = encodeTbs(accepted(decideFor({ csr, request, limits: askedLimits, authority })))
  return accepted(seal(tbs, vaultSign(ca.key, tbs.algorithm, tbs.der)))
}

/** Beside what was asked for, not beside what was decided: `seal` has done that. */
function checkSaid(one: Case, { der }: IssuedCertificate): void {
  const { request, signer, spki } = one
  const { extensions, key, ...said } = accepted(parseCertificate(der))
  const { purposes, keyUsage: bits } = readUsages(request.usages, request.isCA)
  const fitBits = request.isCA
    ? keyUsage.keyCertSign | keyUsage.cRLSign | keyUsage.digitalSignature
    : ~keyUsage.cRLSign
  const notBefore = now - limits.backdateMs
  const actual = {
    issuer: said.issuer,
    subject: said.subject,
    notBefore: said.notBefore,
    notAfter: said.notAfter,
    spki: key.spki,
    isCA: extensions.basicConstraints?.ca,
    pathLength: extensions.basicConstraints?.pathLength,
    keyUsage: extensions.keyUsage,
    purposes: extensions.extendedKeyUsage ?? [],
    names: (extensions.subjectAltName ?? []).map(octetsOf),
  }
  assert.deepEqual(actual, {
    issuer: signer.ca.certificate.subject,
    subject: one.subject,
    notBefore,
    notAfter: notBefore + (request.durationMs ?? limits.defaultDurationMs),
    spki,
    isCA: request.isCA,
    pathLength: request.isCA ? 1 : undefined,
    keyUsage: bits & fitBits,
    purposes,
    names: one.names.map(octetsOf),
  })
}

/** An address by its octets, the others by their text. */
function octetsOf(name: GeneralName): string {
  if (name.kind === 'ip') return `ip ${Buffer.from(name.octets).toString('hex')}`
  return 'value' in name ? `${name.kind} ${String(name.value)}` : name.kind
}

function checkNode({ request, signer: { ca } }: Case, { pem }: IssuedCertificate): void {
  const certificate = new X509Certificate(pem)
  assert.equal(certificate.ca, request.isCA)
  assert.ok(certificate.checkIssued(new X509Certificate(ca.certificate.der)))
  assert.ok(certificate.verify(ca.key.publicKey))
}

/** The element written anew, from its tags and its contents. */
function encode({ tag, content, children }: Element): Uint8Array {
  return children.length === 0 ? tagged(tag, content) : tagged(tag, ...children.map(encode))
}

/** All in one process: their chains are the same. */
function opensslVerifyAll(sample: readonly IssuedCertificate[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'pki-'))
  try {
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    }
    const [{ chainPem, caPem } = { chainPem: '', caPem: '' }] = sample
    const chain = write('chain.pem', chainPem)
    const root = write('root.pem', caPem)
    const leaves = sample.map(({ pem }, i) => write(`${i}.pem`, pem))
    const strict = ['-x509_strict', '-attime', String(now / 1000), '-CAfile', root]
    const args = ['verify', ...strict, '-untrusted', chain, ...leaves]
    execFileSync('openssl', args, { stdio: 'pipe' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
