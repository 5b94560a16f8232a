import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Charge,
  chargeOf,
  Quota,
  type QuotaClass,
  quotaLimits,
} from '../../src/devvault/quota.ts'
import type { KeyVersion } from '../../src/devvault/state.ts'

const attributes = { enabled: true, created: 0, updated: 0 }

function rsa(kty: 'RSA' | 'RSA-HSM', bits: number): KeyVersion {
  const n = Buffer.alloc(bits / 8, 0xff).toString('base64url')
  return { version: '', kty, jwk: { kty: 'RSA', n }, keyOps: [], managed: false, attributes }
}

function ec(kty: 'EC' | 'EC-HSM'): KeyVersion {
  return { version: '', kty, jwk: { kty: 'EC' }, keyOps: [], managed: false, attributes }
}

/** How many such requests a vault answers at one moment. */
function answered(quota: Quota, charge: Charge, nowMs: number): number {
  let count = 0
  while (count < 10_000 && quota.take('contoso', charge, nowMs)) count += 1
  return count
}

describe('a request is charged as the service limits page says', () => {
  const cases: readonly (readonly [string, KeyVersion | undefined, object, QuotaClass, boolean])[] =
    [
      ['keys/sign', rsa('RSA', 2048), {}, 'RSA-2048', false],
      ['keys/sign', rsa('RSA-HSM', 2048), {}, 'RSA-2048', true],
      ['keys/get', rsa('RSA', 3072), {}, 'RSA-3072', false],
      ['keys/sign', rsa('RSA-HSM', 4096), {}, 'RSA-4096', true],
      ['keys/sign', ec('EC'), {}, 'EC', false],
      ['keys/get', ec('EC-HSM'), {}, 'EC', true],
      ['keys/get', undefined, {}, 'other', false],
      ['keys/create', undefined, { kty: 'EC' }, 'create', false],
      ['keys/create', ec('EC'), { kty: 'EC-HSM' }, 'create', true],
      ['keys/import', undefined, { Hsm: true }, 'create', true],
      ['certificates/create', undefined, {}, 'create', false],
      [
        'certificates/create',
        undefined,
        { policy: { key_props: { kty: 'RSA-HSM' } } },
        'create',
        true,
      ],
      ['certificates/get', ec('EC-HSM'), {}, 'other', false],
      ['secrets/get', ec('EC'), {}, 'other', false],
    ]
  for (const [operation, key, body, quotaClass, hsm] of cases) {
    test(`${operation} of ${key?.kty ?? 'nothing'} with ${JSON.stringify(body)}`, () => {
      assert.deepEqual(chargeOf(operation, key, { ...body }), { quotaClass, hsm })
    })
  }
})

describe('a window of 10 s', () => {
  for (const [quotaClass, limits] of Object.entries(quotaLimits)) {
    test(`holds ${limits.software} of ${quotaClass}, ${limits.hsm} with an HSM`, () => {
      const quota = new Quota()
      quota.set({ enabled: true })
      const soft = { quotaClass: classNamed(quotaClass), hsm: false }
      const hard = { ...soft, hsm: true }
      assert.equal(answered(quota, soft, 0), limits.software)
      assert.equal(answered(quota, hard, 9_999), limits.hsm)
      assert.equal(answered(quota, soft, 9_999), 0)
      assert.equal(answered(quota, soft, 10_000), limits.software)
    })
  }

  test('is one budget for all key types', () => {
    const quota = new Quota()
    quota.set({ enabled: true })
    const big = { quotaClass: 'RSA-4096', hsm: true } as const
    for (let count = 0; count < 125; count += 1) assert.equal(quota.take('contoso', big, 0), true)
    assert.equal(answered(quota, { quotaClass: 'RSA-2048', hsm: true }, 0), 1000)
    assert.equal(answered(quota, { quotaClass: 'EC', hsm: false }, 0), 4000)
    assert.equal(quota.take('fabrikam', big, 0), true)
  })
})

test('a smooth quota gives a tenth at once and the rest as time goes by', () => {
  const quota = new Quota()
  quota.set({ enabled: true, smooth: true })
  const charge = { quotaClass: 'EC', hsm: false } as const
  assert.equal(answered(quota, charge, 0), 400)
  assert.equal(answered(quota, charge, 100), 40)
  assert.equal(answered(quota, charge, 100_000), 400)
  // A share too small for a burst still answers one request a turn.
  quota.set({ enabled: true, smooth: true, share: 1 / 4000 })
  assert.equal(answered(quota, charge, 0), 1)
  assert.equal(answered(quota, charge, 5000), 0)
  assert.equal(answered(quota, charge, 10_000), 1)
})

function classNamed(name: string): QuotaClass {
  const names: readonly QuotaClass[] = ['create', 'RSA-2048', 'RSA-3072', 'RSA-4096', 'EC', 'other']
  return names.find((one) => one === name) ?? 'other'
}
