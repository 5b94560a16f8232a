import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { type Chain, type Finding, isError, type Validator } from './validators/chain.ts'
import { type Exemption, exemptions } from './validators/exemptions.ts'
import { faults, flawless } from './validators/faults.ts'
import { generateChains } from './validators/generate.ts'
import { validators } from './validators/validators.ts'

interface Found {
  readonly chain: Chain
  readonly finding: Finding
}

const names = ['OpenSSL', 'crypto/x509', 'GnuTLS', 'zlint', 'pkilint']
/** How many chains the issue of a certificate must be proven by. */
const least = 300

describe('certificates of the product, for whatever can be asked of it', () => {
  let chains: readonly Chain[]
  let findings: ReadonlyMap<string, readonly Found[]>
  before(async () => {
    const judges = await validators()
    chains = generateChains()
    const judged = judges.map(async (judge) => [judge.name, await ask(judge, chains)] as const)
    findings = new Map(await Promise.all(judged))
  })

  test(`are at least ${least}`, (t) => {
    t.diagnostic(`${chains.length} chains`)
    assert.ok(chains.length >= least)
    assert.deepEqual([...findings.keys()], names)
  })

  test('have any two choices together in one of them', () => {
    const traits = Object.keys(chains[0]?.traits ?? {})
    const seen = (...of: readonly string[]) =>
      new Set(
        chains.map((chain) => JSON.stringify(of.map((key) => Reflect.get(chain.traits, key)))),
      )
    for (const one of traits) {
      for (const other of traits) {
        if (one === other) continue
        const missing = seen(one).size * seen(other).size - seen(one, other).size
        assert.equal(missing, 0, `${missing} pairs of ${one} and ${other} are missing`)
      }
    }
  })

  for (const name of names) {
    test(`are accepted by ${name}`, (t) => {
      const found = findings.get(name) ?? []
      const own = exemptions.filter((exemption) => exemption.validator === name)
      const exempt = (one: Found) => own.filter((exemption) => covers(exemption, one))
      for (const line of summary(found)) t.diagnostic(line)

      const left = found.filter((one) => isError(one.finding) && exempt(one).length === 0)
      assert.deepEqual(left.map(text), [])
      const used = new Set(found.flatMap(exempt))
      const needless = own.filter((exemption) => !used.has(exemption))
      assert.deepEqual(
        needless.map(({ rule }) => rule),
        [],
        'exemptions that nothing needs',
      )
    })
  }
})

describe('a certificate with a fault is refused', () => {
  let errors: ReadonlyMap<string, readonly Found[]>
  before(async () => {
    const chains = [flawless, ...faults].map(({ chain }) => chain)
    const judged = (await validators()).map(
      async (judge) => [judge.name, (await ask(judge, chains)).filter(isFault)] as const,
    )
    errors = new Map(await Promise.all(judged))
  })

  const refusers = (chain: Chain) =>
    names.filter((name) => errors.get(name)?.some((one) => one.chain === chain))

  test('and one without is not', () => assert.deepEqual(refusers(flawless.chain), []))

  for (const { chain, foundBy } of faults) {
    test(`${chain.title}: by ${foundBy.join(', ')}`, () => {
      const missing = foundBy.filter((name) => !refusers(chain).includes(name))
      assert.deepEqual(missing, [])
    })
  }
})

async function ask(judge: Validator, chains: readonly Chain[]): Promise<readonly Found[]> {
  const answers = await judge.judge(chains)
  return chains.flatMap((chain, n) => (answers[n] ?? []).map((finding) => ({ chain, finding })))
}

function isFault({ finding }: Found): boolean {
  return isError(finding)
}

function covers({ rule, when }: Exemption, { chain, finding }: Found): boolean {
  return rule === finding.rule && when(chain.traits)
}

function summary(found: readonly Found[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { finding } of found) {
    const kind = `${finding.severity} ${finding.rule}`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [...counts].map(([kind, count]) => `${kind}: ${count}`).toSorted()
}

function text({ chain, finding: { severity, rule, detail } }: Found): string {
  return `${chain.title}: ${severity} ${rule}: ${detail}`
}
