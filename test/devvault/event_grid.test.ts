import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { after, afterEach, before, describe, test } from 'node:test'
import { type DevVault, startDevVault } from '../../src/devvault/dev_vault.ts'
import { listen } from '../../src/devvault/listening.ts'
import { parseToken } from '../../src/devvault/tokens.ts'
import { FakeClock } from '../fake_clock.ts'

interface Request {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const clock = new FakeClock()
let vault: DevVault
let server: Server
let endpoint: string
/** What the webhook says; what it was asked. */
let reply: (request: Request) => Reply
let requests: Request[] = []

before(async () => {
  vault = await startDevVault({ clock })
  server = createServer(async (incoming, response) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const { method = '', headers } = incoming
    const request = { method, headers, body: Buffer.concat(chunks).toString() }
    requests.push(request)
    const { status = 200, headers: sent = {}, body = '' } = reply(request)
    response.writeHead(status, sent).end(body)
  })
  endpoint = `http://127.0.0.1:${await listen(server, 0)}/hook`
})
after(async () => {
  await vault.stop()
  server.close()
})
afterEach(() => {
  requests = []
})

async function subscribe(schema: string, more: object = {}) {
  const answer = await fetch(`${vault.info.adminUrl}/subscriptions`, {
    method: 'PUT',
    body: JSON.stringify({ name: 'akv', vault: 'Contoso', endpoint, schema, ...more }),
  })
  return { status: answer.status, text: await answer.text() }
}

const validated = ({ body }: Request): Reply => {
  const [event] = JSON.parse(body)
  return { body: JSON.stringify({ validationResponse: event.data.validationCode }) }
}
const allowed = () => ({
  headers: { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '120' },
})

/** A version of a self-signed certificate, made in the way of the service. */
async function makeVersion(name: string): Promise<void> {
  const { control } = vault
  control.behaviour.set({ creationMs: 0 })
  const policy = { issuer: { name: 'Self' }, x509_props: { subject: `CN=${name}` } }
  await control.manage('contoso', 'POST', `certificates/${name}/create`, { policy })
  await control.manage('contoso', 'GET', `certificates/${name}`)
}

async function seen(count: number): Promise<readonly Request[]> {
  while (requests.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
  return requests
}

describe('a subscription is refused', () => {
  const cases: readonly (readonly [string, string, () => Reply, RegExp])[] = [
    ['202', 'EventGridSchema', () => ({ status: 202 }), /it answered 202, expected 200/],
    ['no code', 'EventGridSchema', () => ({ body: '{}' }), /does not have the validation code/],
    [
      'another code',
      'EventGridSchema',
      () => ({ body: '{"validationResponse":"x"}' }),
      /does not have the validation code/,
    ],
    ['401', 'CloudEventSchemaV1_0', () => ({ status: 401 }), /it answered 401/],
    ['no origin', 'CloudEventSchemaV1_0', () => ({}), /WebHook-Allowed-Origin is null/],
    [
      'another origin',
      'CloudEventSchemaV1_0',
      () => ({ headers: { 'webhook-allowed-origin': 'example.com', 'webhook-allowed-rate': '1' } }),
      /WebHook-Allowed-Origin is \\"example.com\\"/,
    ],
    [
      'no rate',
      'CloudEventSchemaV1_0',
      () => ({ headers: { 'webhook-allowed-origin': 'eventgrid.azure.net' } }),
      /WebHook-Allowed-Rate is/,
    ],
  ]
  for (const [what, schema, answer, words] of cases) {
    test(`in ${schema} after ${what}`, async () => {
      reply = answer
      const { status, text } = await subscribe(schema)
      assert.equal(status, 400)
      assert.match(text, words)
      assert.deepEqual(vault.control.eventGrid.subscriptions(), [])
    })
  }

  test('when nobody is there, or nothing is right', async () => {
    const nobody = await subscribe('EventGridSchema', { endpoint: 'http://127.0.0.1:1/' })
    assert.match(nobody.text, /the handshake with akv failed/)
    assert.match((await subscribe('Custom')).text, /must be EventGridSchema or Cloud/)
    assert.match((await subscribe('EventGridSchema', { vault: 'x' })).text, /no vault named/)
  })
})

test('handshake and events of the Event Grid schema, with a token for the application', async () => {
  reply = validated
  const entra = { audience: 'api://webhook', tokenVersion: '2.0' }
  assert.equal((await subscribe('EventGridSchema', { entra })).status, 200)
  reply = () => ({ status: 202 })
  await makeVersion('grid')
  const [handshake, delivery] = await seen(2)
  assert.equal(handshake?.headers['aeg-event-type'], 'SubscriptionValidation')
  assert.equal(delivery?.headers['aeg-event-type'], 'Notification')
  const [event, ...more] = JSON.parse(delivery?.body ?? '')
  assert.deepEqual(more, [])
  assert.equal(event.eventType, 'Microsoft.KeyVault.CertificateNewVersionCreated')
  assert.equal(
    event.data.Id,
    `https://contoso.vault.azure.net/certificates/grid/${event.data.Version}`,
  )
  for (const request of [handshake, delivery]) {
    const compact = request?.headers.authorization?.replace('Bearer ', '') ?? ''
    const { claims } = parseToken(compact) ?? {}
    const { tenantId } = vault.info
    assert.deepEqual(
      [claims?.aud, claims?.iss, claims?.tid, claims?.azp, claims?.appid],
      [
        'api://webhook',
        `https://login.microsoftonline.com/${tenantId}/v2.0`,
        tenantId,
        '4962773b-9cdb-44cf-a8bf-237846a00ab7',
        undefined,
      ],
    )
  }
})

test('handshake and events of CloudEvents, with a header, again after 30 s when refused by 503', async () => {
  reply = allowed
  const headers = { Authorization: 'Bearer s3cret' }
  assert.equal((await subscribe('CloudEventSchemaV1_0', { headers })).status, 200)
  let left = 1
  reply = () => ({ status: left-- > 0 ? 503 : 204 })
  await makeVersion('cloud')
  await seen(2)
  while (clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await clock.advance(29_000)
  assert.equal(requests.length, 2)
  await clock.advance(1_000)
  const [handshake, first, second] = await seen(3)
  assert.equal(handshake?.method, 'OPTIONS')
  assert.equal(handshake?.headers['webhook-request-origin'], 'eventgrid.azure.net')
  for (const request of [handshake, first]) {
    assert.equal(request?.headers.authorization, 'Bearer s3cret')
  }
  assert.equal(first?.body, second?.body)
  assert.match(first?.headers['content-type'] ?? '', /^application\/cloudevents\+json/)
  const { specversion, type, data } = JSON.parse(first?.body ?? '')
  assert.deepEqual(
    [specversion, type, data.ObjectName],
    ['1.0', 'Microsoft.KeyVault.CertificateNewVersionCreated', 'cloud'],
  )
  await clock.advance(3_600_000)
  assert.equal(requests.length, 3)
  assert.deepEqual(vault.control.journal.counters()['eventgrid/deliver'], {
    'contoso/grid': { '202': 1 },
    'contoso/cloud': { '503': 1, '204': 1 },
  })
})
