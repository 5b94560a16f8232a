import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import { parseCsr } from '../../src/pki/csr.ts'
import type { NameKind } from '../../src/pki/general_names.ts'
import type { Refusal, Rule } from '../../src/pki/refusal.ts'
import { type IssuedCertificate, seal } from '../../src/pki/seal.ts'
import { encodeTbs } from '../../src/pki/tbs.ts'
import { decide } from '../../src/pki/template.ts'
import { limits } from './issue.ts'
import { vaultSign } from './keys.ts'
import { now } from './make_ca.ts'
import { constrained, root, type Seed } from './mutation_seeds.ts'
import type { Mutant } from './mutations.ts'
import { accepted } from './outcomes.ts'

/** What became of the mutants of one kind. */
export interface Report {
  readonly parse: number
  readonly decide: number
  readonly issued: readonly Issued[]
  /** How often each rule refused, the most frequent first. */
  readonly rules: readonly (readonly [Rule, number])[]
  /** Milliseconds of processor time that the slowest request takes, on average of many times. */
  readonly slowestMs: number
}

export interface Issued {
  readonly seed: Seed
  readonly certificate: IssuedCertificate
}

/** Runs the whole way for each mutant; throws where one does not end in a refusal or rightly. */
export function explore(mutants: fc.Arbitrary<Mutant>, numRuns: number): Report {
  const rules = new Map<Rule, number>()
  const issued: Issued[] = []
  const stages = { parse: 0, decide: 0 }
  let slow: readonly { readonly mutant: Mutant; readonly ms: number }[] = []
  // A property that is not async has run when it returns.
  void fc.assert(
    fc.property(mutants, (mutant) => {
      const before = performance.now()
      const end = answer(mutant)
      const ms = performance.now() - before
      slow = [...slow, { mutant, ms }].toSorted((a, b) => b.ms - a.ms).slice(0, 5)
      if (end.stage === 'issued') {
        checkIssued(end.issued)
        issued.push(end.issued)
        return
      }
      checkMessage(end.refusal)
      stages[end.stage] += 1
      rules.set(end.refusal.rule, (rules.get(end.refusal.rule) ?? 0) + 1)
    }),
    { numRuns },
  )
  return {
    ...stages,
    issued,
    rules: [...rules].toSorted((a, b) => b[1] - a[1]),
    slowestMs: Math.max(...slow.map(({ mutant }) => costOf(mutant))),
  }
}

type End =
  | { readonly stage: 'parse' | 'decide'; readonly refusal: Refusal }
  | { readonly stage: 'issued'; readonly issued: Issued }

const nameKinds: readonly NameKind[] = [
  ...(['dns', 'ip', 'uri', 'email', 'otherName', 'directoryName', 'registeredId'] as const),
]

function answer({ seed, pem }: Mutant): End {
  const csr = parseCsr(pem)
  if (!csr.ok) return { stage: 'parse', refusal: csr.refusal }
  const decision = decide({
    csr: csr.value,
    request: seed.request,
    limits: { ...limits, nameKinds, ca: { maxPathLength: 1 } },
    authority: seed.authority,
    now,
    serialBytes: new Uint8Array(16).fill(9),
  })
  if (!decision.ok) return { stage: 'decide', refusal: decision.refusal }
  const tbs = encodeTbs(decision.value)
  const { key } = signerOf(seed)
  const certificate = accepted(seal(tbs, vaultSign(key, tbs.algorithm, tbs.der)))
  assert.deepEqual(certificate.certificate.key.spki, csr.value.key.spki)
  return { stage: 'issued', issued: { seed, certificate } }
}

function signerOf({ authority }: Seed) {
  return authority.certificate === root.certificate ? root : constrained
}

/** What Node makes of the certificate, which knows nothing of how it came to be. */
function checkIssued({ seed, certificate: { pem, certificate } }: Issued): void {
  const signer = signerOf(seed)
  const read = new X509Certificate(pem)
  assert.ok(read.checkIssued(new X509Certificate(signer.certificate.der)))
  assert.ok(read.verify(signer.key.publicKey))
  assert.equal(read.ca, seed.request.isCA)
  const spki = read.publicKey.export({ type: 'spki', format: 'der' })
  assert.deepEqual(new Uint8Array(spki), certificate.key.spki)
}

/** A reason in words, short enough for an Event. */
function checkMessage({ message }: Refusal): void {
  assert.match(message, /\w+ \w+/)
  assert.doesNotMatch(message, /\bundefined\b|\bNaN\b|\[object /)
  assert.ok(message.length <= 1024 && message.isWellFormed(), message)
}

function costOf(mutant: Mutant): number {
  const times = 40
  const before = process.cpuUsage()
  for (let n = 0; n < times; n += 1) answer(mutant)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / times
}
