import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import type { VaultNotice } from '../../src/event_grid/delivery.ts'
import type { Verdict } from '../../src/event_grid/sender.ts'
import { startWebhook, type Webhook, webhookPath } from '../../src/event_grid/webhook.ts'
import { type Log, type LogFields, silentLog } from '../../src/log.ts'
import { FakeClock } from '../fake_clock.ts'
import { cloudEvent, gridEvent, newVersion, validationEvent, versionData } from './events.ts'

const secret = '00112233445566778899aabbccddeeff'
const notice = { vaultHost: 'contoso.vault.azure.net', certificate: 'myapp' }

let clock: FakeClock
let webhook: Webhook
let verdict: Verdict
let failure: IssuerError | undefined
let notices: VaultNotice[]
let outcomes: string[]
let lines: (readonly [string, LogFields])[]

const note = (message: string, fields: LogFields = {}) => lines.push([message, fields])
const log: Log = { ...silentLog, info: note, warn: note }

before(async () => {
  clock = new FakeClock()
  webhook = await startWebhook({
    host: '127.0.0.1',
    port: 0,
    checkSender: async (token) =>
      token === secret
        ? verdict
        : { kind: 'refused', reason: 'the Bearer token is not the secret' },
    onNotices: async (added) => {
      if (failure) throw failure
      notices.push(...added)
    },
    onOutcome: (outcome, count) => outcomes.push(`${outcome} ${count}`),
    clock,
    log,
  })
})
after(() => webhook.close())
beforeEach(async () => {
  verdict = { kind: 'known' }
  failure = undefined
  notices = []
  outcomes = []
  lines = []
  await clock.advance(60_000)
})

interface Sent {
  readonly method?: string
  readonly path?: string
  readonly authorization?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

async function send(sent: Sent) {
  const { method = 'POST', path = webhookPath, headers = {}, body } = sent
  const authorization = 'authorization' in sent ? sent.authorization : `Bearer ${secret}`
  const answer = await fetch(webhook.url + path, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
      ...(authorization !== undefined && { authorization }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: answer.status, text: await answer.text(), header: answer.headers }
}

describe('handshakes', () => {
  test('of the Event Grid schema: the code is sent back', async () => {
    const headers = { 'aeg-event-type': 'SubscriptionValidation', 'aeg-subscription-name': 'AKV' }
    const { status, text } = await send({ headers, body: [validationEvent()] })
    assert.deepEqual([status, JSON.parse(text)], [200, { validationResponse: '512d38b6' }])
    assert.deepEqual(outcomes, ['handshake 1'])
    assert.deepEqual(lines, [['Event Grid subscribes', { subscription: 'AKV' }]])
  })

  test('of CloudEvents: the origin is allowed, at a rate', async () => {
    const headers = {
      'webhook-request-origin': 'eventgrid.azure.net',
      'webhook-request-callback': 'https://example.com/confirm',
      'webhook-request-rate': '120',
    }
    const { status, text, header } = await send({ method: 'OPTIONS', headers })
    assert.deepEqual(
      [
        status,
        text,
        header.get('allow'),
        header.get('webhook-allowed-origin'),
        header.get('webhook-allowed-rate'),
      ],
      [200, '', 'POST', 'eventgrid.azure.net', '6000'],
    )
    assert.deepEqual(outcomes, ['handshake 1'])
  })

  test('OPTIONS of anybody else allows nothing', async () => {
    const { status, header } = await send({ method: 'OPTIONS' })
    assert.deepEqual([status, header.get('webhook-allowed-origin')], [400, null])
    assert.deepEqual(outcomes, ['malformed 1'])
  })
})

describe('deliveries', () => {
  const accepted: readonly (readonly [string, Sent, readonly VaultNotice[], readonly string[]])[] =
    [
      ['in the Event Grid schema', { body: [gridEvent()] }, [notice], []],
      [
        'in CloudEvents',
        {
          headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
          body: cloudEvent(),
        },
        [notice],
        [],
      ],
      [
        'in a batch of CloudEvents',
        {
          headers: { 'content-type': 'application/cloudevents-batch+json' },
          body: [cloudEvent(), cloudEvent(versionData(), `${newVersion}2`)],
        },
        [notice],
        ['ignored 1'],
      ],
      [
        'with a query in the URL',
        { path: `${webhookPath}?a=b`, body: [gridEvent()] },
        [notice],
        [],
      ],
      [
        'of other types alone',
        { body: [gridEvent({}, 'Microsoft.KeyVault.CertificateExpired')] },
        [],
        ['ignored 1'],
      ],
    ]
  for (const [what, sent, expected, counted] of accepted) {
    test(`${what} are accepted`, async () => {
      const { status, text } = await send(sent)
      assert.deepEqual({ status, text, notices }, { status: 202, text: '', notices: expected })
      assert.deepEqual(outcomes, counted)
    })
  }

  const refused: readonly (readonly [string, Sent, number])[] = [
    ['without events', { body: [] }, 400],
    ['that are no JSON', { body: '{' }, 400],
    ['without a body', {}, 400],
    ['of an unknown content type', { headers: { 'content-type': 'text/plain' }, body: 'x' }, 415],
    ['longer than 256 KiB', { body: 'x'.repeat(256 * 1024 + 1) }, 413],
    ['to another path', { path: '/', body: [gridEvent()] }, 404],
    ['by PUT', { method: 'PUT', body: [gridEvent()] }, 404],
    ['by GET', { method: 'GET' }, 404],
  ]
  for (const [what, sent, expected] of refused) {
    test(`${what} are refused`, async () => {
      const { status, text } = await send(sent)
      assert.deepEqual({ status, text, notices }, { status: expected, text: '', notices: [] })
      assert.deepEqual(outcomes, ['malformed 1'])
    })
  }

  test('that nobody could take are to be sent again', async () => {
    failure = new IssuerError('KubeUnavailable', 'the API server is away')
    const { status, text, header } = await send({ body: [gridEvent()] })
    assert.deepEqual([status, text, header.get('retry-after')], [503, '', '30'])
    assert.deepEqual(outcomes, ['failed 1'])
  })

  test('are taken up to a rate, which recovers', async () => {
    const batch = Array.from({ length: 100 }, () => gridEvent())
    for (let time = 0; time < 10; time++) assert.equal((await send({ body: batch })).status, 202)
    const { status, header } = await send({ body: batch })
    assert.deepEqual([status, header.get('retry-after')], [429, '1'])
    assert.equal(outcomes.at(-1), 'too_many 1')
    await clock.advance(1_000)
    assert.equal((await send({ body: batch })).status, 202)
    assert.equal(notices.length, 1_100)
  })
})

describe('senders', () => {
  const strangers: readonly (readonly [string, string | undefined])[] = [
    ['without a token', undefined],
    ['with another secret', `Bearer ${'f'.repeat(32)}`],
    ['with another scheme', `Basic ${secret}`],
    ['with the secret and more', `Bearer ${secret} ${secret}`],
    ['with the bare secret', secret],
  ]
  for (const [what, authorization] of strangers) {
    test(`${what} reach nothing, whatever they send`, async () => {
      const requests: readonly Sent[] = [
        { body: [gridEvent()] },
        { body: [validationEvent()] },
        { body: '{' },
        { body: 'x'.repeat(1_000_000) },
        { method: 'OPTIONS', headers: { 'webhook-request-origin': 'eventgrid.azure.net' } },
        { path: `${webhookPath}?code=${secret}&access_token=${secret}`, body: [gridEvent()] },
        { path: '/metrics', method: 'GET' },
      ]
      for (const sent of requests) {
        const { status, text, header } = await send({ ...sent, authorization })
        assert.deepEqual(
          [status, text, header.get('www-authenticate'), header.get('webhook-allowed-origin')],
          [401, '', 'Bearer', null],
        )
      }
      assert.deepEqual(notices, [])
      assert.deepEqual(
        outcomes,
        requests.map(() => 'unauthenticated 1'),
      )
    })
  }

  test('whom nobody can judge now are to come again', async () => {
    const error = new IssuerError('IdentityUnavailable', 'no keys')
    verdict = { kind: 'unavailable', error }
    const { status, header } = await send({ body: [gridEvent()] })
    assert.deepEqual([status, header.get('retry-after'), notices], [503, '30', []])
    assert.deepEqual(outcomes, ['failed 1'])
  })

  test('that are refused fill no log and spend nothing of the rate', async () => {
    for (let time = 0; time < 50; time++) await send({ authorization: 'Bearer x', body: '' })
    assert.equal(lines.length, 1)
    await clock.advance(10_000)
    await send({ authorization: 'Bearer x', body: '' })
    assert.deepEqual(lines.at(-1), [
      'a request of Event Grid was refused',
      { outcome: 'unauthenticated', reason: 'the Bearer token is not the secret', more: 49 },
    ])
    assert.equal((await send({ body: [gridEvent()] })).status, 202)
  })

  test('never find their token in a log', async () => {
    await send({ body: '{' })
    await send({ authorization: `Basic ${secret}`, path: `/${secret}?${secret}`, body: '{' })
    assert.ok(lines.length > 0)
    assert.ok(!JSON.stringify(lines).includes(secret), JSON.stringify(lines))
  })
})
