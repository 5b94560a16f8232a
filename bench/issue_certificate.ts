// CPU of a certificate, CSR PEM in and certificate PEM out, with the vault left out: ours beside
// @peculiar/x509 doing the same, turn by turn in one run: node bench/issue_certificate.ts
// Theirs has one local P-256 signature in it, which the library does not let us leave out; its cost is
// printed. The median of the rounds stands first, the fastest and the slowest in brackets.
// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 does not load without it
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
import { type CertificateSigningRequest, parseCsr } from '../src/pki/csr.ts'
import { seal } from '../src/pki/seal.ts'
import { encodeTbs } from '../src/pki/tbs.ts'
import { type CertificateDecision, decide } from '../src/pki/template.ts'
import { limits, serverUsages } from '../test/pki/issue.ts'
import { type KeyPair, keyOf, vaultSign } from '../test/pki/keys.ts'
import { makeAuthority, makeCa, now } from '../test/pki/make_ca.ts'
import { makeCsr } from '../test/pki/make_csr.ts'
import { accepted } from '../test/pki/outcomes.ts'

const rounds = 15
/** Rounds that do not count: compilation, and the signatures that are left out. */
const warmUps = 2
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
  return sealed(decided(accepted(parseCsr(csrPem)), serialBytes))
}

function decided(csr: CertificateSigningRequest, serialBytes: Uint8Array): CertificateDecision {
  const request = { isCA: false, usages: serverUsages }
  return accepted(decide({ csr, request, limits, authority, now, serialBytes }))
}

function sealed(decision: CertificateDecision): string {
  const tbs = encodeTbs(decision)
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

const noSerial = new Uint8Array(16)
const serials = Array.from({ length: perRound.ours }, (_, i) => new Uint8Array(16).fill(i + 1))

for (const type of ['ECDSA P-256', 'RSA 2048'] as const) {
  const csrPem = makeCsr({ key: keyOf(type, 'bench') })
  const csr = accepted(parseCsr(csrPem))
  const decision = decided(csr, noSerial)
  const contenders = {
    ours: (i: number) => ours(csrPem, serials[i] ?? noSerial),
    theirs: () => theirs(csrPem),
    parse: () => parseCsr(csrPem),
    decide: (i: number) => decided(csr, serials[i] ?? noSerial),
    seal: () => sealed(decision),
    signature: () => vaultSign(ca.key, authority.algorithm, csr.der),
  }
  const costs = await race(contenders)
  const ratio = median(costs.theirs) / median(costs.ours)
  const result = `ours ${spread(costs.ours)}   @peculiar/x509 ${spread(costs.theirs)}`
  say(type, `${result}   ratio ${ratio.toFixed(1)}`)
  const steps = (['parse', 'decide', 'seal'] as const).map((one) => `${one} ${spread(costs[one])}`)
  say('', `of ours: ${steps.join('   ')}`)
  say('', `of theirs: one local signature ${spread(costs.signature)}`)
}

type Contender = 'ours' | 'theirs' | 'parse' | 'decide' | 'seal' | 'signature'

/** What each contender costs, turn by turn, so that a busy machine slows them all. */
async function race(
  contenders: Readonly<Record<Contender, (i: number) => unknown>>,
): Promise<Readonly<Record<Contender, readonly number[]>>> {
  const costs = { ours: [], theirs: [], parse: [], decide: [], seal: [], signature: [] }
  const lanes: readonly (readonly [Contender, number[]])[] = [
    ['ours', costs.ours],
    ['theirs', costs.theirs],
    ['parse', costs.parse],
    ['decide', costs.decide],
    ['seal', costs.seal],
    ['signature', costs.signature],
  ]
  for (let round = -warmUps; round < rounds; round++) {
    for (const [name, taken] of lanes) {
      const count = name === 'theirs' ? perRound.theirs : perRound.ours
      const took = await cost(count, contenders[name])
      if (round >= 0) taken.push(took)
    }
  }
  return costs
}

function say(title: string, text: string): void {
  process.stdout.write(`${title.padEnd(12)} ${text}\n`)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function spread(values: readonly number[]): string {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)]
  return `${middle.toFixed(3)} ms (${least.toFixed(3)}-${most.toFixed(3)})`
}
