import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import type { KubeClient, KubeRequest } from '../../src/kube/client.ts'
import { ServiceAccountTokens } from '../../src/kube/service_account_tokens.ts'
import { FakeClock } from '../fake_clock.ts'

const minute = 60_000
const never = new AbortController().signal
const account = { namespace: 'apps', name: 'vault', uid: 'u1' }

let clock: FakeClock
let asked: KubeRequest[]
let answer: () => Promise<unknown>
let tokens: ServiceAccountTokens

beforeEach(() => {
  clock = new FakeClock()
  asked = []
  answer = async () => ({
    status: {
      token: `token ${asked.length}`,
      expirationTimestamp: new Date(clock.now() + 60 * minute).toISOString(),
    },
  })
  const kube: Pick<KubeClient, 'request'> = {
    request: (request) => {
      asked.push(request)
      return answer()
    },
  }
  tokens = new ServiceAccountTokens(kube, clock)
})

test('a token is for Entra alone, and of the account that was read', async () => {
  assert.equal(await tokens.token(account, never), 'token 1')
  assert.deepEqual(asked, [
    {
      method: 'POST',
      path: '/api/v1/namespaces/apps/serviceaccounts/vault/token',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: { uid: 'u1' },
        spec: { audiences: ['api://AzureADTokenExchange'], expirationSeconds: 3600 },
      },
    },
  ])
})

test('a token is kept by the UID of its account until ten minutes before its end', async () => {
  const second = { ...account, uid: 'u2' }
  assert.equal(await tokens.token(account, never), 'token 1')
  assert.equal(await tokens.token(second, never), 'token 2')
  await clock.advance(50 * minute - 1)
  assert.equal(await tokens.token(account, never), 'token 1')
  await clock.advance(1)
  assert.equal(await tokens.token(account, never), 'token 3')
  assert.equal(await tokens.token(second, never), 'token 4')
})

test('what the API server refuses is told with what helps', async () => {
  const cases = [
    [
      'KubeForbidden',
      'KubeForbidden',
      /^the controller may not make tokens of ServiceAccount "vault" in namespace "apps" — let it by a Role in namespace "apps" with .* resourceNames \["vault"\]/,
    ],
    ['KubeNotFound', 'ReferenceNotFound', /^ServiceAccount "vault" .* is gone/],
    ['KubeConflict', 'IdentityUnavailable', /^ServiceAccount "vault" .* was made anew/],
  ] as const
  for (const [said, code, message] of cases) {
    answer = () => Promise.reject(new IssuerError(said, 'as the API server says'))
    await assert.rejects(tokens.token(account, never), (error) => {
      assert(error instanceof IssuerError)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      return true
    })
  }
  answer = async () => ({ status: {} })
  await assert.rejects(tokens.token(account, never), { code: 'IdentityUnavailable' })
})
