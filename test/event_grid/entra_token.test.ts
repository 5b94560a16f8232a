import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { MockAgent } from 'undici'
import {
  type EventGridCloud,
  entraToken,
  eventGridClouds,
} from '../../src/event_grid/entra_token.ts'
import { encodePart, jwt } from '../devvault/jwt.ts'
import { FakeClock } from '../fake_clock.ts'

const tenantId = '11111111-1111-1111-1111-111111111111'
const otherTenant = '22222222-2222-2222-2222-222222222222'
const audience = 'api://akv-issuer-webhook'
const eventGrid = '4962773b-9cdb-44cf-a8bf-237846a00ab7'
const v1Issuer = `https://sts.windows.net/${tenantId}/`
const v2Issuer = `https://login.microsoftonline.com/${tenantId}/v2.0`
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const clock = new FakeClock()
const now = Math.floor(clock.now() / 1_000)

function keySet(...kids: readonly string[]) {
  const jwk = rsa.publicKey.export({ format: 'jwk' })
  return { keys: kids.map((kid) => ({ ...jwk, kid, use: 'sig' })) }
}

/** Entra's keys behind the production URL; each answer is given once, the last one from then on. */
function tenant(...answers: readonly { readonly status?: number; readonly body: object }[]) {
  const asked: string[] = []
  const dispatcher = new MockAgent()
  dispatcher.disableNetConnect()
  dispatcher
    .get('https://login.microsoftonline.com')
    .intercept({ path: () => true })
    .reply(({ path }) => {
      const { status = 200, body } = answers[Math.min(asked.length, answers.length - 1)] ?? {
        body: {},
      }
      asked.push(path)
      return { statusCode: status, data: body }
    })
    .persist()
  const cloud = eventGridClouds.get('AzureCloud')
  assert.ok(cloud)
  const check = entraToken({ cloud, tenantId, audience, clock, dispatcher })
  return { asked, check }
}

interface Parts {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  readonly key?: KeyObject
}

/** A token of version 1.0, with `undefined` for what it shall not have. */
function token({ header, claims, key = rsa.privateKey }: Parts = {}): string {
  return jwt(
    { typ: 'JWT', alg: 'RS256', kid: 'k1', ...header },
    {
      aud: audience,
      iss: v1Issuer,
      iat: now,
      nbf: now,
      exp: now + 3_600,
      appid: eventGrid,
      tid: tenantId,
      ver: '1.0',
      ...claims,
    },
    key,
  )
}

const v2 = { iss: v2Issuer, ver: '2.0', appid: undefined, azp: eventGrid }

describe('a token of Event Grid is known', () => {
  const known: readonly (readonly [string, Parts])[] = [
    ['of version 1.0', {}],
    ['of version 2.0', { claims: v2 }],
    ['a minute after its end', { claims: { exp: now - 59 } }],
    ['a minute before its time', { claims: { nbf: now + 59 } }],
    ['for several audiences', { claims: { aud: ['api://other', audience] } }],
  ]
  for (const [what, parts] of known) {
    test(what, async () => {
      const { check, asked } = tenant({ body: keySet('k0', 'k1') })
      assert.deepEqual(await check(token(parts)), { kind: 'known' })
      assert.deepEqual(asked, [`/${tenantId}/discovery/v2.0/keys`])
    })
  }
})

describe('a token is refused', () => {
  const issuer = 'claim iss is not as expected'
  const refused: readonly (readonly [string, Parts | string, string])[] = [
    ['for another audience', { claims: { aud: 'api://other' } }, 'claim aud is not as expected'],
    ['for none', { claims: { aud: undefined } }, 'claim aud is missing'],
    ['of another tenant', { claims: { iss: `https://sts.windows.net/${otherTenant}/` } }, issuer],
    ['of another authority', { claims: { iss: `https://evil.example/${tenantId}/v2.0` } }, issuer],
    ['of no issuer', { claims: { iss: undefined } }, 'claim iss is missing'],
    [
      'whose tid is another tenant',
      { claims: { tid: otherTenant } },
      `claim tid is not tenant ${tenantId}`,
    ],
    [
      'of another application',
      { claims: { appid: '00000000-0000-0000-0000-00000000000a' } },
      `claim appid is not ${eventGrid}, which is Event Grid`,
    ],
    [
      'of version 2.0 with the caller where 1.0 has it',
      { claims: { ...v2, azp: undefined, appid: eventGrid } },
      `claim azp is not ${eventGrid}, which is Event Grid`,
    ],
    ['after its end', { claims: { exp: now - 61 } }, 'the token has expired'],
    ['without an end', { claims: { exp: undefined } }, 'claim exp is missing'],
    ['before its time', { claims: { nbf: now + 61 } }, 'claim nbf is not as expected'],
    ['without a beginning', { claims: { nbf: undefined } }, 'claim nbf is missing'],
    ['signed by a stranger', { key: stranger.privateKey }, 'the signature of the token is wrong'],
    [
      'signed with a key that the tenant does not have',
      { header: { kid: 'k9' } },
      'the token is not signed by a key of the tenant',
    ],
    ['without a key id', { header: { kid: undefined } }, 'the token does not name its key'],
    ['signed with PS256', { header: { alg: 'PS256' } }, 'the token is not signed with RS256'],
    ['signed with HS256', { header: { alg: 'HS256' } }, 'the token is not signed with RS256'],
    [
      'without a signature',
      `${encodePart({ alg: 'none' })}.${encodePart({ iss: v1Issuer })}.`,
      'the token is not signed with RS256',
    ],
    [
      'that demands an extension',
      { header: { crit: ['b65'], b65: true } },
      'the token needs what is not supported',
    ],
    ['that is none', 'abc', 'it is no signed token'],
  ]
  for (const [what, parts, reason] of refused) {
    test(what, async () => {
      const { check } = tenant({ body: keySet('k0', 'k1') })
      const text = typeof parts === 'string' ? parts : token(parts)
      assert.deepEqual(await check(text), { kind: 'refused', reason })
    })
  }
})

describe('keys', () => {
  const aged = (t: TestContext, ms: number) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    return () => t.mock.timers.tick(ms)
  }

  test('are read once for many tokens', async () => {
    const { check, asked } = tenant({ body: keySet('k1') })
    await Promise.all(Array.from({ length: 20 }, () => check(token())))
    assert.deepEqual(await check(token()), { kind: 'known' })
    assert.equal(asked.length, 1)
  })

  test('are read again for a new one, at most once in 30 s', async (t) => {
    const after = aged(t, 30_001)
    const { check, asked } = tenant({ body: keySet('k1') }, { body: keySet('k1', 'k2') })
    const rotated = token({ header: { kid: 'k2' } })
    assert.deepEqual(await check(token()), { kind: 'known' })
    for (let time = 0; time < 10; time++) {
      assert.equal((await check(rotated)).kind, 'refused')
    }
    assert.equal(asked.length, 1)
    after()
    assert.deepEqual(await check(rotated), { kind: 'known' })
    assert.equal(asked.length, 2)
  })

  test('that cannot be had make no refusal, and are asked for each 5 s at most', async () => {
    for (const answer of [
      { status: 503, body: {} },
      { status: 302, body: {} },
    ]) {
      const { check, asked } = tenant(answer, { body: keySet('k1') })
      for (let time = 0; time < 3; time++) {
        const verdict = await check(token())
        assert.equal(verdict.kind, 'unavailable')
        assert.equal(verdict.error.code, 'IdentityUnavailable')
      }
      assert.equal(asked.length, 1)
      await clock.advance(5_000)
      assert.deepEqual(await check(token()), { kind: 'known' })
    }
  })

  test('that are none make no refusal', async () => {
    const { check } = tenant({ body: { keys: 5 } })
    assert.equal((await check(token())).kind, 'unavailable')
  })
})

test('each cloud has its own authority and its own Event Grid', () => {
  const clouds = [...eventGridClouds.values()]
  for (const member of ['authorityHost', 'eventGridApp'] as const) {
    const distinct = new Set(clouds.map((cloud: EventGridCloud) => cloud[member]))
    assert.equal(distinct.size, clouds.length, member)
  }
})
