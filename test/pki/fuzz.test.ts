import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explore } from './explore.ts'
import { mutations } from './mutations.ts'

/** A kind of mutation; e2e/soak/csr_mutations.ts has more. */
const runs = 250
/** Far above the millisecond that a request takes, far below what would hold up others. */
const tooSlowMs = 100

describe('a mutated CSR ends in a refusal or in a certificate that is right', () => {
  for (const [title, mutants] of Object.entries(mutations)) {
    test(`with changed ${title}`, (t) => {
      const { parse, decide, issued, slowestMs } = explore(mutants, runs)
      t.diagnostic(
        `refused by parse ${parse}, by decide ${decide}, issued ${issued.length}; slowest ${slowestMs.toFixed(1)} ms`,
      )
      assert.ok(slowestMs < tooSlowMs, `the slowest took ${slowestMs} ms`)
      if (!title.includes('signed again')) return
      assert.ok(decide > 0, 'no mutation reached the decision')
      assert.ok(issued.length > 0, 'no mutation reached the end')
    })
  }
})
