import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import {
  type IdentityChoice,
  operatorHolder,
  operatorIdentity,
} from '../../src/vault/operator_identity.ts'

const client = { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' }
const secret = { ...client, AZURE_CLIENT_SECRET: 's3cret' }
const federated = { ...client, AZURE_FEDERATED_TOKEN_FILE: '/token' }
const byEnvironment = {
  type: 'clientSecret',
  tenantId: 'tenant',
  clientId: 'client',
  clientSecret: 's3cret',
}
const byWorkload = {
  type: 'workload',
  tenantId: 'tenant',
  clientId: 'client',
  tokenFile: '/token',
}

test('who a command is follows from the flag and the environment', () => {
  for (const [choice, env, expected] of [
    ['auto', {}, { type: 'cli' }],
    ['auto', client, { type: 'cli' }],
    ['auto', secret, byEnvironment],
    ['auto', federated, byWorkload],
    ['auto', { ...federated, ...secret }, byEnvironment],
    ['workload', { ...federated, ...secret }, byWorkload],
    ['environment', secret, byEnvironment],
    ['cli', secret, { type: 'cli' }],
    ['managed', {}, { type: 'managed', clientId: undefined }],
    ['managed', secret, { type: 'managed', clientId: 'client' }],
  ] as const) {
    assert.deepEqual(operatorIdentity(choice, env), expected, `${choice} ${JSON.stringify(env)}`)
  }
})

test('what the environment lacks is named', () => {
  const cases: readonly (readonly [IdentityChoice, NodeJS.ProcessEnv, RegExp])[] = [
    ['environment', {}, /^AZURE_TENANT_ID is not set — set it, or choose who to be with/],
    ['environment', client, /^AZURE_CLIENT_SECRET is not set/],
    ['auto', { AZURE_CLIENT_SECRET: 's' }, /^AZURE_TENANT_ID is not set/],
    ['workload', client, /^AZURE_FEDERATED_TOKEN_FILE is not set/],
  ]
  for (const [choice, env, message] of cases) {
    assert.throws(
      () => operatorIdentity(choice, env),
      (error) =>
        error instanceof IssuerError &&
        error.code === 'IdentityRefused' &&
        message.test(error.message),
      choice,
    )
  }
})

test('a token that was not had is told in words of the one who wanted it', () => {
  const { who, failure } = operatorHolder({ type: 'cli' })
  assert.equal(who, 'the account that az is logged in with')
  assert.equal(
    failure(new Error("Please run 'az login'\nand so on")).message,
    'could not get a token for the account that az is logged in with: ' +
      "Please run 'az login' — run az login, or choose another with --identity",
  )
})
