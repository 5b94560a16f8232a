import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { after, before, beforeEach, test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { ManagedIdentity } from '../../src/vault/managed_identity.ts'

const scope = 'https://vault.azure.net/.default'
const token = { access_token: 'a token', expires_on: '1800000000', token_type: 'Bearer' }

let server: Server
let asked: { readonly url: string | undefined; readonly metadata: unknown }[]
let answer: { readonly status: number; readonly body: string }

before(async () => {
  server = createServer(({ url, headers }, response) => {
    asked.push({ url, metadata: headers.metadata })
    response.writeHead(answer.status).end(answer.body)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  assert(typeof address === 'object' && address !== null)
  process.env.AKV_DEVVAULT_CONNECT = `169.254.169.254:80=127.0.0.1:${address.port}`
  await import('../../src/devvault/redirect.mjs')
})

after(() => server.close())

beforeEach(() => {
  asked = []
})

test('the metadata service is asked for the vault, and for the client that is named', async () => {
  answer = { status: 200, body: JSON.stringify(token) }
  for (const [clientId, query] of [
    [undefined, ''],
    ['c&1', '&client_id=c%261'],
  ] as const) {
    asked = []
    assert.deepEqual(await new ManagedIdentity(clientId).getToken(scope), {
      token: 'a token',
      expiresOnTimestamp: 1_800_000_000_000,
    })
    const vault = 'api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net'
    const url = `/metadata/identity/oauth2/token?${vault}${query}`
    assert.deepEqual(asked, [{ url, metadata: 'true' }])
  }
})

test('a token that was not had is told with what helps', async () => {
  const denied = JSON.stringify({
    error: 'invalid_request',
    error_description: 'Identity not found',
  })
  for (const [status, body, code, message] of [
    [400, denied, 'IdentityRefused', /client id c: Identity not found — assign the identity to/],
    [400, 'nonsense', 'IdentityUnavailable', /its answer is not JSON — only machines of Azure/],
    [429, '{}', 'IdentityUnavailable', /from http:\/\/169\.254\.169\.254: HTTP 429 — /],
    [200, '{}', 'IdentityUnavailable', /HTTP 200 — /],
  ] as const) {
    answer = { status, body }
    await assert.rejects(new ManagedIdentity('c').getToken(scope), (error) => {
      assert(error instanceof IssuerError)
      assert.equal(error.code, code, `${status} ${body}`)
      assert.match(error.message, message)
      return true
    })
  }
})

test('without the service, as outside Azure, that is said', async () => {
  await new Promise((closed) => server.close(closed))
  await assert.rejects(new ManagedIdentity(undefined).getToken(scope), {
    code: 'IdentityUnavailable',
    message:
      "could not get a token for the node's managed identity from http://169.254.169.254: " +
      'ECONNREFUSED — only machines of Azure have this service; check that no network policy ' +
      'closes port 80 to it; tried again',
  })
})
