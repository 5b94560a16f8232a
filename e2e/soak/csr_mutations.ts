// 20,000 mutated CSRs, each to end in a refusal with a reason or in a certificate that is what was
// decided; of these, validators look at a sample: make soak ONLY=csr
import { pathOf } from '../../src/pki/authority.ts'
import { explore, type Issued, type Report } from '../../test/pki/explore.ts'
import { now } from '../../test/pki/make_ca.ts'
import { mutations } from '../../test/pki/mutations.ts'
import type { Chain, Finding, Validator } from '../validators/chain.ts'
import { isError } from '../validators/chain.ts'
import { exemptions } from '../validators/exemptions.ts'
import { validators } from '../validators/validators.ts'

const total = 20_000
/** Certificates of each kind that the validators see: a process a certificate takes its time. */
const judged = 100
const tooSlowMs = 100

const kinds = Object.entries(mutations)
const reports: (readonly [string, Report])[] = []
for (const [title, mutants] of kinds) {
  const start = performance.now()
  const report = explore(mutants, Math.ceil(total / kinds.length))
  reports.push([title, report])
  const seconds = ((performance.now() - start) / 1000).toFixed(0)
  say(`${title} (${seconds} s)`)
  say(`  refused by parse ${report.parse}, by decide ${report.decide}`)
  say(`  issued ${report.issued.length}, slowest ${report.slowestMs.toFixed(1)} ms`)
  say(`  ${report.rules.map(([rule, count]) => `${rule} ${count}`).join(', ')}`)
}

const slowest = Math.max(...reports.map(([, report]) => report.slowestMs))
const rules = new Set(reports.flatMap(([, report]) => report.rules.map(([rule]) => rule)))
say(`${total} CSRs, ${rules.size} rules, slowest ${slowest.toFixed(1)} ms`)

const chains = reports.flatMap(([title, { issued }]) =>
  spreadOut(issued, judged).map((one) => chainOf(title, one)),
)
const faults: string[] = []
for (const validator of await validators()) {
  const found = await faultsOf(validator, chains)
  say(`${validator.name}: ${chains.length} chains, ${found.length} with faults`)
  faults.push(...found)
}
for (const fault of faults.slice(0, 20)) say(fault)
if (faults.length > 0 || slowest > tooSlowMs) process.exitCode = 1

async function faultsOf(validator: Validator, all: readonly Chain[]): Promise<readonly string[]> {
  const findings = await validator.judge(all)
  return all.flatMap((chain, i) => {
    const fault = findings[i]?.find((one) => isError(one) && !isExempt(validator, one))
    if (fault === undefined) return []
    const der = Buffer.from(chain.certificates[0] ?? new Uint8Array()).toString('base64')
    const detail = fault.detail.slice(0, 300)
    return [`${validator.name}: ${chain.title}: ${fault.rule} ${detail}\n  ${der}`]
  })
}

interface Peculiarity {
  readonly validator: string
  readonly finding: RegExp
  readonly reason: string
}

/** What only mutated certificates have, beside `exemptions`. */
function peculiarities(): readonly Peculiarity[] {
  return [
    {
      validator: 'pkilint',
      finding: /OID (contains out-of-range|requires minimum of 3) arc/,
      reason: 'X.660 has identifiers of three numbers, and from 2.40 on; pkilint reads neither.',
    },
    {
      validator: 'pkilint',
      finding: /^pkix.invalid_email_address_syntax .*@[A-Za-z0-9-]+"/,
      reason: 'RFC 5321 §2.3.5 has domains of one label; pkilint wants two.',
    },
    {
      validator: 'zlint',
      finding: /^e_name_constraint_not_fqdn .*: [A-Za-z0-9-]+$/,
      reason: 'A SPIFFE trust domain may have one label, and so its constraint; zlint wants two.',
    },
  ]
}

/** An exemption counts by its rule alone: what a mutated certificate is about, nobody chose. */
function isExempt({ name }: Validator, { rule, detail }: Finding): boolean {
  const all = [
    ...exemptions.map((one) => one.validator === name && one.rule === rule),
    ...peculiarities().map(
      (one) => one.validator === name && one.finding.test(`${rule} ${detail}`),
    ),
  ]
  return all.includes(true)
}

function chainOf(title: string, { seed, certificate }: Issued): Chain {
  return {
    title: `${seed.title}, changed ${title}`,
    traits: { identity: '', use: '', algorithm: '', bounds: '' },
    certificates: [certificate.der, ...pathOf(seed.authority).map((ca) => ca.der)],
    purposes: [],
    host: '',
    time: now,
  }
}

function spreadOut<T>(all: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, all.length / count)
  return all.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step))
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
