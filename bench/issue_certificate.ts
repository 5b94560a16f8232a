// CPU of a certificate, CSR PEM in and certificate PEM out, with the vault left out: ours beside
// @peculiar/x509 doing the same, turn by turn in one run. node bench/issue_certificate.ts
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { parseCsr } from '../src/pki/csr.ts'
import { seal } from '../src/pki/seal.ts'
import { encodeTbs } from '../src/pki/tbs.ts'
import { decide } from '../src/pki/template.ts'
import { limits, serverUsages } from '../test/pki/issue.ts'
import { type KeyPair, keyOf, vaultSign } from '../test/pki/keys.ts'
import { makeAuthority, makeCa, now } from '../test/pki/make_ca.ts'
import { makeCsr } from '../test/pki/make_csr.ts'
import { accepted } from '../test/pki/outcomes.ts'

const rounds = 15
const perRound = { ours: 200, theirs: 30 }

const ca = makeCa()
const authority = makeAuthority(ca)
const signed = new Map<string, Uint8Array>()

/** What a vault would answer. Made once for each thing to sign, and so not part of the time. */
function signature(key: KeyPair, data: Uint8Array): Uint8Array {
  const id = Buffer.from(data).toString('latin1')
  const made = signed.get(id) ?? vaultSign(key, authority.algorithm, data)
  signed.set(id, made)
  return made
}

function ours(csrPem: string, serialBytes: Uint8Array): string {
  const decision = decide({
    csr: accepted(parseCsr(csrPem)),
    request: { isCA: false, usages: serverUsages },
    limits,
    authority,
    now,
    serialBytes,
  })
  const tbs = encodeTbs(accepted(decision))
  return accepted(seal(tbs, signature(ca.key, tbs.der))).pem
}

const algorithm = { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' } as const
const issuerKey = await webcrypto.subtle.importKey(
  'pkcs8',
  ca.key.privateKey.export({ type: 'pkcs8', format: 'der' }),
  algorithm,
  false,
  ['sign'],
)
const issuer = new X509Certificate(ca.certificate.der)

async function theirs(csrPem: string): Promise<string> {
  const csr = new Pkcs10CertificateRequest(csrPem)
  if (!(await csr.verify())) throw new Error('the CSR does not verify')
  const names = csr.extensions.filter((extension) => extension.type === '2.5.29.17')
  const certificate = await X509CertificateGenerator.create({
    issuer: issuer.subjectName,
    subject: csr.subjectName,
    notBefore: new Date(now - 30_000),
    notAfter: new Date(now + limits.defaultDurationMs),
    publicKey: csr.publicKey,
    signingKey: issuerKey,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      await SubjectKeyIdentifierExtension.create(csr.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...names,
    ],
  })
  if (!(await certificate.verify({ publicKey: issuer.publicKey, signatureOnly: true }))) {
    throw new Error('the certificate does not verify')
  }
  return certificate.toString('pem')
}

/** Milliseconds of processor time for one call, over `count` calls. */
async function cost(count: number, call: (i: number) => unknown): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < count; i++) await call(i)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / count
}

const serials = Array.from({ length: perRound.ours }, (_, i) => new Uint8Array(16).fill(i + 1))

for (const type of ['ECDSA P-256', 'RSA 2048'] as const) {
  const csrPem = makeCsr({ key: keyOf(type, 'bench') })
  const us: number[] = []
  const them: number[] = []
  for (let round = -2; round < rounds; round++) {
    const mine = await cost(perRound.ours, (i) => ours(csrPem, serials[i] ?? new Uint8Array(16)))
    const other = await cost(perRound.theirs, () => theirs(csrPem))
    // The first rounds warm up: compilation, and the signatures that are left out.
    if (round < 0) continue
    us.push(mine)
    them.push(other)
  }
  const ratio = median(them) / median(us)
  process.stdout.write(
    `${type.padEnd(12)} ours ${spread(us)}   @peculiar/x509 ${spread(them)}   ratio ${ratio.toFixed(1)}\n`,
  )
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function spread(values: readonly number[]): string {
  const show = (ms: number) => ms.toFixed(3)
  return `${show(median(values))} ms (${show(Math.min(...values))}-${show(Math.max(...values))})`
}
