import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import type { AccessToken, GetTokenOptions } from '@azure/identity'
import { IssuerError } from '../../src/error.ts'
import type { Cloud } from '../../src/vault/cloud.ts'
import type { Identity } from '../../src/vault/identity.ts'
import { holderOf } from '../../src/vault/identity_failure.ts'
import { TokenSource } from '../../src/vault/token_source.ts'
import { FakeClock } from '../fake_clock.ts'

const hour = 3_600_000
const never = new AbortController().signal
const cloud: Cloud = {
  authorityHost: 'https://login.microsoftonline.com',
  scope: 'https://vault.azure.net/.default',
}
const identity: Identity = {
  type: 'clientSecret',
  tenantId: 'tenant',
  clientId: 'client',
  clientSecret: 's3cret',
}

let clock: FakeClock
let asked: GetTokenOptions[]
let answer: () => Promise<AccessToken>
let source: TokenSource

beforeEach(() => {
  clock = new FakeClock()
  asked = []
  answer = async () => ({ token: `token ${asked.length}`, expiresOnTimestamp: clock.now() + hour })
  const credential = {
    getToken: (_: string | string[], options?: GetTokenOptions) => {
      asked.push(options ?? {})
      return answer()
    },
  }
  source = new TokenSource(holderOf(identity), credential, cloud, clock)
})

test('many who wait share one fetch, and later ones its token', async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, () => source.token(never)))
  assert.deepEqual(new Set([...tokens, await source.token(never)]), new Set(['token 1']))
  assert.equal(asked.length, 1)
})

test('a token is fetched anew five minutes before its end', async () => {
  await source.token(never)
  await clock.advance(hour - 300_001)
  assert.equal(await source.token(never), 'token 1')
  await clock.advance(1)
  assert.equal(await source.token(never), 'token 2')
})

test('while a refresh fails the old token serves to its end, and Entra is not asked each time', async () => {
  await source.token(never)
  answer = () => Promise.reject(new Error('down'))
  await clock.advance(hour - 200_000)
  for (let i = 0; i < 10; i++) assert.equal(await source.token(never), 'token 1')
  assert.equal(asked.length, 2)
  await clock.advance(200_000)
  await assert.rejects(source.token(never), (error) => {
    return error instanceof IssuerError && error.code === 'IdentityUnavailable'
  })
})

test('a refused token is replaced once for all who were refused, with the claims asked for', async () => {
  const refused = await source.token(never)
  const replaced = await Promise.all([
    source.replace(refused, '{"access_token":{}}', never),
    source.replace(refused, '{"access_token":{}}', never),
  ])
  assert.deepEqual(replaced, ['token 2', 'token 2'])
  assert.equal(await source.replace(refused, undefined, never), 'token 2')
  assert.deepEqual(
    asked.map(({ claims }) => claims),
    [undefined, '{"access_token":{}}'],
  )
})

test('who gives up does not take the fetch from the others', async () => {
  const fetched = Promise.withResolvers<AccessToken>()
  answer = () => fetched.promise
  const leaving = new AbortController()
  const first = source.token(leaving.signal)
  const second = source.token(never)
  leaving.abort(new Error('gave up'))
  await assert.rejects(first, /gave up/)
  fetched.resolve({ token: 'late', expiresOnTimestamp: clock.now() + hour })
  assert.equal(await second, 'late')
})

test('an error of Entra says its code and what to do, and not the secret', async () => {
  answer = () => Promise.reject(new Error('invalid_client: AADSTS7000215: Invalid client secret'))
  await assert.rejects(source.token(never), (error) => {
    assert(error instanceof IssuerError)
    assert.equal(error.code, 'IdentityRefused')
    assert.match(
      error.message,
      /client client in tenant tenant: AADSTS7000215 — the client secret is wrong/,
    )
    assert.doesNotMatch(error.message, /s3cret/)
    return true
  })
})
