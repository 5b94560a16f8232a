import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { type DevVault, startDevVault } from '../../src/devvault/dev_vault.ts'
import { quotaLimits } from '../../src/devvault/quota.ts'
import { FakeClock } from '../fake_clock.ts'
import { askToken, identityNamed, raw, stringAt, tokenOf } from './here.ts'

const clock = new FakeClock()
const body = JSON.stringify({ alg: 'ES256', value: Buffer.alloc(32).toString('base64url') })

let vault: DevVault
let token: string

before(async () => {
  vault = await startDevVault({ clock })
  token = await tokenOf(vault)
  await vault.control.manage('contoso', 'POST', 'keys/ca/create', { kty: 'EC' })
  await vault.control.manage('contoso', 'POST', 'keys/other/create', { kty: 'RSA', key_size: 3072 })
})
after(() => vault.stop())
afterEach(() => {
  vault.control.faults.clear()
  vault.control.quota.set({ enabled: false })
  vault.control.latency = {}
})

function sign(name = 'ca', text = body) {
  const path = `/keys/${name}//sign?api-version=2025-07-01`
  return raw(vault, { method: 'POST', path, token, body: text })
}

function secretPath(name: string): string {
  return `/secrets/${name}?api-version=2025-07-01`
}

async function admin(method: string, path: string, value?: unknown) {
  const response = await fetch(`${vault.info.adminUrl}${path}`, {
    method,
    ...(value !== undefined && { body: JSON.stringify(value) }),
  })
  const answer: unknown = await response.json()
  return { status: response.status, body: answer }
}

describe('faults', () => {
  test('meet the operation and object named, as often as told', async () => {
    await admin('POST', '/faults', {
      operation: 'keys/sign',
      object: 'contoso/ca',
      status: 429,
      count: 2,
    })
    assert.equal((await raw(vault, { path: '/keys/ca?api-version=7.6', token })).status, 200)
    assert.notEqual((await sign('other')).status, 429)
    const unauthenticated = await raw(vault, { method: 'POST', path: '/keys/ca//sign' })
    assert.equal(unauthenticated.status, 401)
    const throttled = await sign()
    assert.equal(throttled.status, 429)
    assert.equal(throttled.headers['retry-after'], undefined)
    assert.equal(stringAt(throttled.body, 'error', 'code'), 'Throttled')
    assert.equal((await sign()).status, 429)
    assert.equal((await sign()).status, 200)
  })

  test('bring their own headers and body', async () => {
    vault.control.faults.add({
      status: 503,
      headers: { 'Retry-After': '7' },
      body: { error: { code: 'X' } },
    })
    const answer = await sign()
    assert.equal(answer.status, 503)
    assert.equal(answer.headers['retry-after'], '7')
    assert.deepEqual(answer.body, { error: { code: 'X' } })
  })

  test('lose the answer before or after the work', async () => {
    vault.control.faults.add({ operation: 'secrets', drop: true })
    vault.control.faults.add({ operation: 'secrets', drop: true, afterwards: true })
    const set = (name: string) =>
      raw(vault, { method: 'PUT', path: secretPath(name), token, body: '{"value":"x"}' })
    await assert.rejects(set('before'), { code: 'ECONNRESET' })
    await assert.rejects(set('afterwards'), { code: 'ECONNRESET' })
    assert.equal((await raw(vault, { path: secretPath('before'), token })).status, 404)
    assert.equal((await raw(vault, { path: secretPath('afterwards'), token })).status, 200)
    assert.deepEqual(vault.control.journal.counters()['secrets/set'], {
      'contoso/before': { dropped: 1 },
      'contoso/afterwards': { dropped: 1 },
    })
  })

  test('meet Entra by client id', async () => {
    const { clientId, clientSecret } = identityNamed(vault, 'operator')
    vault.control.faults.add({ operation: 'entra/token', object: clientId, status: 503 })
    const form = {
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret ?? '',
      scope: 'https://vault.azure.net/.default',
    }
    assert.equal((await askToken(vault, form)).status, 503)
    assert.equal((await askToken(vault, form)).status, 200)
  })
})

describe('quota', () => {
  test('refuses above the share of a window, without Retry-After', async () => {
    clock.jump(10_000 - (clock.now() % 10_000))
    vault.control.quota.set({ enabled: true, share: 3 / quotaLimits.EC.software })
    const statuses: number[] = []
    for (let round = 0; round < 5; round += 1) statuses.push((await sign()).status)
    assert.deepEqual(statuses, [200, 200, 200, 429, 429])
    const refused = await sign()
    assert.equal(refused.headers['retry-after'], undefined)
    assert.deepEqual(refused.body, {
      error: {
        code: 'Throttled',
        message:
          'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
      },
    })
    clock.jump(10_000)
    assert.equal((await sign()).status, 200)
  })

  test('weighs key types on one budget, reads of keys included', async () => {
    clock.jump(10_000 - (clock.now() % 10_000))
    await admin('PUT', '/quota', {
      enabled: true,
      share: 8 / quotaLimits.EC.software,
      retryAfterSeconds: 4,
    })
    const digest = Buffer.alloc(32).toString('base64url')
    // RSA-3072 weighs four times as much: 4 + 3 of 8 are used up then.
    assert.equal((await sign('other', JSON.stringify({ alg: 'RS256', value: digest }))).status, 200)
    for (let round = 0; round < 3; round += 1) assert.equal((await sign()).status, 200)
    assert.equal((await raw(vault, { path: '/keys/ca?api-version=7.6', token })).status, 200)
    const refused = await sign()
    assert.equal(refused.status, 429)
    assert.equal(refused.headers['retry-after'], '4')
    assert.equal((await raw(vault, { path: '/secrets?api-version=7.6', token })).status, 200)
  })
})

describe('the admin API', () => {
  test('delays by operation, class or everything', async () => {
    await admin('PUT', '/latency', { 'keys/sign': 20, keys: 10, '*': 5 })
    const delays = ['keys/sign', 'keys/get', 'entra/token'].map((operation) =>
      vault.control.delayOf(operation),
    )
    assert.deepEqual(delays, [20, 10, 5])
    let done = false
    const signing = sign().then((answer) => {
      done = true
      return answer
    })
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(19)
    assert.equal(done, false)
    await clock.advance(1)
    assert.equal((await signing).status, 200)
  })

  test('counts by operation, object and status, and tells no secrets', async () => {
    assert.equal((await admin('DELETE', '/counters')).status, 200)
    await sign()
    await sign('none')
    assert.deepEqual((await admin('GET', '/counters')).body, {
      'keys/sign': { 'contoso/ca': { 200: 1 }, 'contoso/none': { 404: 1 } },
    })
    const requests = vault.control.journal.requests()
    assert.deepEqual(
      requests.map(({ operation, object, status, clientId }) => [
        operation,
        object,
        status,
        clientId,
      ]),
      [
        ['keys/sign', 'ca', 200, identityNamed(vault, 'operator').clientId],
        ['keys/sign', 'none', 404, identityNamed(vault, 'operator').clientId],
      ],
    )
    const { body: identities } = await admin('GET', '/identities')
    const { clientSecret } = identityNamed(vault, 'operator')
    assert.equal(JSON.stringify(identities).includes(clientSecret ?? '?'), false)
  })

  test('moves the clock of the vaults, and no other', async () => {
    const at = async (method: string, value?: unknown) =>
      stringAt((await admin(method, '/clock', value)).body, 'now')
    assert.equal(await at('PUT', { now: '2030-01-01T00:00:00Z' }), '2030-01-01T00:00:00.000Z')
    assert.equal(await at('PUT', { advance: 60_000 }), '2030-01-01T00:01:00.000Z')
    const made = await admin('POST', '/vaults/contoso/keys/later/create', { kty: 'EC' })
    assert.match(JSON.stringify(made.body), /"created":1893456060,/)
    assert.equal((await sign()).status, 200)
    assert.equal(await at('PUT', { now: new Date(clock.now()).toISOString() }), await at('GET'))
  })

  test('sets how the service behaves, the rest being as usual', async () => {
    const creationFailure = { code: 'Request rejected', message: 'no' }
    const { body: behaviour } = await admin('PUT', '/behaviour', { creationMs: 5, creationFailure })
    const usual = { creationMs: 300, deletionMs: 0, honourCancellation: false }
    assert.deepEqual(behaviour, { ...usual, creationMs: 5, creationFailure })
    await admin('PUT', '/behaviour', {})
    assert.deepEqual((await admin('GET', '/behaviour')).body, usual)
  })

  test('makes keys and identities, and says what was wrong', async () => {
    const made = await admin('POST', '/vaults/contoso/keys/by-admin/create', { kty: 'EC' })
    assert.equal(made.status, 200)
    const clientId = 'dddddddd-0000-0000-0000-000000000001'
    await admin('PUT', '/identities', {
      clientId,
      secrets: ['s'],
      permissions: [{ actions: ['keys/read'] }],
    })
    assert.equal(vault.control.identities().at(-1)?.clientId, clientId)
    const bad: readonly (readonly [string, string, unknown, number])[] = [
      ['PUT', '/identities', {}, 400],
      ['PUT', '/identities', { clientId, permissions: [{ actions: 'keys/read' }] }, 400],
      ['POST', '/federation', { clientId: 'x', issuer: 'i', subject: 's' }, 400],
      ['PUT', '/latency', { keys: 'slow' }, 400],
      ['PUT', '/quota', {}, 400],
      ['PUT', '/clock', {}, 400],
      ['PUT', '/clock', { now: 'soon' }, 400],
      ['PUT', '/clock', { now: '2027-01-01T00:00:00Z', advance: 1 }, 400],
      ['PUT', '/behaviour', { creationMs: -1 }, 400],
      ['PUT', '/identities', { clientId, certificates: ['x'] }, 400],
      ['PUT', '/identities', { clientId, managed: 'both' }, 400],
      ['POST', '/faults', [], 400],
      ['POST', '/vaults/none/keys/x/create', { kty: 'EC' }, 400],
      ['POST', '/vaults/contoso/keys/x/create', { kty: 'none' }, 400],
      ['GET', '/nothing', undefined, 404],
    ]
    for (const [method, path, value, status] of bad) {
      assert.equal((await admin(method, path, value)).status, status, `${method} ${path}`)
    }
  })
})

test('several dev vaults live side by side', async () => {
  const other = await startDevVault()
  try {
    const path = '/keys/ca?api-version=2025-07-01'
    assert.equal((await raw(other, { path, token })).status, 401)
    assert.equal((await raw(other, { path, token: await tokenOf(other) })).status, 404)
  } finally {
    await other.stop()
  }
})
