import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RenewalSpec } from '../../src/api/certificate.ts'
import { renewalTime } from '../../src/issuance/renewal_time.ts'

const hour = 3_600_000
const validity = { notBefore: 0, notAfter: 90 * hour }
const usual: RenewalSpec = {
  disabled: false,
  renewBeforeMs: undefined,
  renewBeforePercentage: undefined,
}

test('renewal is at two thirds of the lifetime, or when the Certificate says', () => {
  const cases: ReadonlyArray<readonly [Partial<RenewalSpec>, number | undefined]> = [
    [{}, 60 * hour],
    [{ renewBeforeMs: 10 * hour }, 80 * hour],
    [{ renewBeforePercentage: 20 }, 72 * hour],
    [{ renewBeforeMs: 10 * hour, renewBeforePercentage: 20 }, 80 * hour],
    // Not before it begins, and not after it ends.
    [{ renewBeforeMs: 90 * hour }, 60 * hour],
    [{ renewBeforePercentage: 100 }, 60 * hour],
    [{ disabled: true, renewBeforeMs: hour }, undefined],
  ]
  for (const [renewal, expected] of cases) {
    assert.equal(renewalTime(validity, { ...usual, ...renewal }), expected, JSON.stringify(renewal))
  }
})

test('it is cut to whole seconds, as the status of a Certificate shows it', () => {
  assert.equal(renewalTime({ notBefore: 0, notAfter: 10_000 }, usual), 6_000)
})
