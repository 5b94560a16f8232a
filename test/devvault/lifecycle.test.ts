import assert from 'node:assert/strict'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type DevVault, startDevVault } from '../../src/devvault/dev_vault.ts'
import { FakeClock } from '../fake_clock.ts'
import { at, stringAt } from './here.ts'

const day = 86_400_000
const clock = new FakeClock(Date.parse('2026-11-22T12:00:00Z'))
let vault: DevVault

before(async () => {
  vault = await startDevVault({ clock })
})
after(() => vault.stop())
beforeEach(() => {
  vault.control.behaviour.set({})
})

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  return (await vault.control.manage('contoso', method, path, body)).body
}

function create(name: string, policy: object): Promise<unknown> {
  return ask('POST', `certificates/${name}/create`, {
    policy: {
      key_props: { kty: 'EC' },
      x509_props: { subject: `CN=${name}`, validity_months: 1 },
      issuer: { name: 'Self' },
      ...policy,
    },
  })
}

async function versionsOf(name: string): Promise<number> {
  const list = at(await ask('GET', `certificates/${name}/versions`), 'value')
  return Array.isArray(list) ? list.length : 0
}

async function currentOf(name: string): Promise<X509Certificate> {
  return new X509Certificate(
    Buffer.from(stringAt(await ask('GET', `certificates/${name}`), 'cer'), 'base64'),
  )
}

function renewAt(trigger: object) {
  return { lifetime_actions: [{ trigger, action: { action_type: 'AutoRenew' } }] }
}

describe('a certificate of issuer Self', () => {
  test('is there when the issuer has answered, and no sooner', async () => {
    await create('wait', {})
    clock.jump(299)
    assert.equal(stringAt(await ask('GET', 'certificates/wait/pending'), 'status'), 'inProgress')
    clock.jump(1)
    assert.equal(stringAt(await ask('GET', 'certificates/wait/pending'), 'status'), 'completed')
    const certificate = await currentOf('wait')
    assert.equal(certificate.validFromDate.toISOString(), '2026-11-22T11:50:00.000Z')
    assert.equal(certificate.validToDate.toISOString(), '2026-12-22T12:00:00.000Z')
  })

  test('is renewed with a new key at a percentage of its life', async () => {
    await create('percent', renewAt({ lifetime_percentage: 50 }))
    vault.control.clock.advance(300)
    const first = await currentOf('percent')
    vault.control.clock.advance(15 * day - 400_000)
    assert.equal(await versionsOf('percent'), 1)
    vault.control.clock.advance(400_000)
    assert.equal(await versionsOf('percent'), 2)
    const second = await currentOf('percent')
    assert.notEqual(second.fingerprint256, first.fingerprint256)
    assert.equal(
      createPublicKey(second.publicKey.export({ format: 'pem', type: 'spki' })).equals(
        first.publicKey,
      ),
      false,
    )
    const secret = await ask('GET', 'secrets/percent')
    assert.match(stringAt(secret, 'previousVersion'), /^[0-9a-f]{32}$/)
  })

  test('is renewed with the same key some days before its end, if so told', async () => {
    await create('days', {
      key_props: { kty: 'EC', reuse_key: true },
      ...renewAt({ days_before_expiry: 7 }),
    })
    vault.control.clock.advance(300)
    const first = await currentOf('days')
    const end = first.validToDate.getTime()
    vault.control.clock.set(end - 7 * day - 1000)
    assert.equal(await versionsOf('days'), 1)
    vault.control.clock.set(end - 7 * day + 1000)
    assert.equal(await versionsOf('days'), 2)
    assert.equal((await currentOf('days')).publicKey.equals(first.publicKey), true)
  })

  test('is renewed once after a long time, with the dates of the last renewal', async () => {
    await create('long', renewAt({ lifetime_percentage: 80 }))
    vault.control.clock.advance(2 * 365 * day)
    const now = vault.control.clock.now()
    const current = await currentOf('long')
    assert.equal(await versionsOf('long'), 2)
    assert.ok(current.validFromDate.getTime() < now && current.validToDate.getTime() > now)
  })

  test('is left alone when disabled, mailed about only, or of another issuer', async () => {
    const mail = { trigger: { lifetime_percentage: 80 }, action: { action_type: 'EmailContacts' } }
    await create('mailed', { lifetime_actions: [mail] })
    await create('off', {})
    vault.control.clock.advance(300)
    await ask('PATCH', 'certificates/off', { attributes: { enabled: false } })
    vault.control.clock.advance(365 * day)
    assert.deepEqual([await versionsOf('mailed'), await versionsOf('off')], [1, 1])
  })

  test('keeps its last version when a renewal fails, which is tried again a day later', async () => {
    await create('unlucky', renewAt({ lifetime_percentage: 50 }))
    vault.control.clock.advance(300)
    const creationFailure = { code: 'Request rejected', message: 'no' }
    vault.control.behaviour.set({ creationFailure })
    vault.control.clock.advance(15.6 * day)
    const failed = await ask('GET', 'certificates/unlucky/pending')
    assert.deepEqual([at(failed, 'status'), at(failed, 'error')], ['failed', creationFailure])
    assert.match(stringAt(failed, 'status_details'), /is in progress/)
    assert.equal(await versionsOf('unlucky'), 1)
    vault.control.behaviour.set({})
    vault.control.clock.advance(day / 4)
    assert.equal(await versionsOf('unlucky'), 1)
    vault.control.clock.advance(day)
    assert.equal(await versionsOf('unlucky'), 2)
  })

  test('is cancelled when the service is told to listen', async () => {
    vault.control.behaviour.set({ honourCancellation: true })
    await create('cancelled', {})
    await ask('PATCH', 'certificates/cancelled/pending', { cancellation_requested: true })
    vault.control.clock.advance(300)
    const { status } = { status: at(await ask('GET', 'certificates/cancelled/pending'), 'status') }
    assert.equal(status, 'cancelled')
    await create('cancelled', {})
    vault.control.clock.advance(300)
    assert.equal(await versionsOf('cancelled'), 1)
  })
})

describe('a deletion', () => {
  test('shows after a while, and so does a recovery', async () => {
    await ask('POST', 'keys/slow/create', { kty: 'EC' })
    vault.control.behaviour.set({ deletionMs: 20_000 })
    const statusOf = async (method: string, path: string) =>
      (await vault.control.manage('contoso', method, path, {})).status
    assert.equal(await statusOf('DELETE', 'keys/slow'), 200)
    assert.equal(await statusOf('GET', 'deletedkeys/slow'), 404)
    assert.equal(await statusOf('GET', 'keys/slow'), 404)
    const busy = await vault.control.manage('contoso', 'POST', 'deletedkeys/slow/recover', {})
    assert.equal(busy.status, 409)
    assert.equal(stringAt(busy.body, 'error', 'innererror', 'code'), 'ObjectIsBeingDeleted')
    vault.control.clock.advance(20_000)
    assert.equal(await statusOf('GET', 'deletedkeys/slow'), 200)
    assert.equal(await statusOf('POST', 'deletedkeys/slow/recover'), 200)
    assert.equal(await statusOf('GET', 'keys/slow'), 404)
    vault.control.clock.advance(20_000)
    assert.equal(await statusOf('GET', 'keys/slow'), 200)
  })

  test('is final after 90 days, and the name is free', async () => {
    await create('gone', {})
    vault.control.clock.advance(300)
    await ask('DELETE', 'certificates/gone')
    vault.control.clock.advance(89 * day)
    assert.equal(stringAt(await create('gone', {}), 'error', 'code'), 'Conflict')
    vault.control.clock.advance(2 * day)
    assert.equal(stringAt(await create('gone', {}), 'status'), 'inProgress')
  })
})
