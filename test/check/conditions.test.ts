import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIssuer } from '../../src/api/issuer.ts'
import { type Standing, unlessOfTheCaller } from '../../src/check/caller_probes.ts'
import { conditionFindings, isJudged } from '../../src/check/conditions.ts'
import { type FindingCode, failed } from '../../src/check/finding.ts'

function issuerWith(...conditions: readonly object[]) {
  const metadata = { uid: 'u', name: 'n', resourceVersion: '1', generation: 2 }
  const issuer = parseIssuer('ClusterIssuer', { metadata, spec: {}, status: { conditions } })
  assert(issuer)
  return issuer
}

function condition(type: string, status: string, reason: string, observedGeneration = 2) {
  return { type, status, reason, message: `about ${type}`, observedGeneration }
}

test('conditions are told in their own words', () => {
  const issuer = issuerWith(
    condition('Ready', 'True', 'Verified'),
    condition('CAExpiring', 'True', 'ExpiresSoon'),
    condition('CALimited', 'False', 'NoLimits'),
    condition('CARollover', 'Unknown', 'Counting'),
  )
  assert.deepEqual(conditionFindings(issuer), [
    { probe: 'Ready', result: 'ok', message: 'about Ready' },
    { probe: 'CAExpiring', result: 'warning', message: 'about CAExpiring' },
    { probe: 'CALimited', result: 'ok', message: 'about CALimited' },
    { probe: 'CARollover', result: 'ok', message: 'about CARollover' },
  ])
})

test('the reason of Ready is the code of what failed', () => {
  assert.deepEqual(conditionFindings(issuerWith(condition('Ready', 'False', 'VaultForbidden'))), [
    failed('Ready', 'VaultForbidden', 'about Ready'),
  ])
})

test('what is about an older spec, or not there, tells nothing of this one', () => {
  const cases = [
    [issuerWith(), 'it has no condition Ready: no controller has looked at it as it is'],
    [
      issuerWith(condition('Ready', 'True', 'Verified', 1)),
      'its condition Ready is about generation 1, the issuer is at 2: no controller has looked at it as it is',
    ],
  ] as const
  for (const [issuer, message] of cases) {
    assert.deepEqual(conditionFindings(issuer), [failed('Ready', 'NotProbed', message)])
    assert.equal(isJudged(issuer), false)
  }
})

test('what the caller lacks is no fault of an issuer that the controller has judged', () => {
  const skips = (standing: Standing, code: FindingCode, message = 'no') =>
    unlessOfTheCaller(failed('signature', code, message), standing).result === 'skipped'
  const codes = [
    'VaultForbidden',
    'IdentityRefused',
    'VaultUnavailable',
    'VaultKeyUnusable',
  ] as const
  assert.deepEqual(
    codes.map((code) => skips('caller', code)),
    [true, true, true, false],
  )
  // With the rights of the issuer itself, what they are not enough for is its fault.
  assert.deepEqual(
    codes.map((code) => skips('issuer', code)),
    [false, false, true, false],
  )
  const walled =
    'could not sign with key "ca" at x: HTTP 403 Forbidden/ForbiddenByFirewall — allow it'
  assert.equal(skips('issuer', 'VaultForbidden', walled), true)
  assert.deepEqual(unlessOfTheCaller(failed('signature', 'VaultUnavailable', 'no'), 'caller'), {
    probe: 'signature',
    result: 'skipped',
    message: 'not to be seen from here: no',
  })
})
