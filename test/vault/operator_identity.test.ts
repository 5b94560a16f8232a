import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import type { DevVault } from '../../src/devvault/dev_vault.ts'
import { IssuerError } from '../../src/error.ts'
import { parseVaultUrl } from '../../src/vault/cloud.ts'
import {
  type IdentityChoice,
  operatorCredential,
  operatorHolder,
  operatorIdentity,
} from '../../src/vault/operator_identity.ts'
import { tokenClaims } from '../../src/vault/token_claims.ts'
import { TokenSource } from '../../src/vault/token_source.ts'
import { identityNamed, startHere } from '../devvault/here.ts'

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
  proxy: undefined,
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

describe('tokens that Entra gives', () => {
  let vault: DevVault
  before(async () => {
    vault = await startHere()
    process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = vault.info.imdsUrl
  })
  after(() => vault.stop())

  async function tokenOf(choice: IdentityChoice, env: NodeJS.ProcessEnv): Promise<string> {
    const { cloud } = parseVaultUrl('https://contoso.vault.azure.net', ['.vault.azure.net'])
    const identity = operatorIdentity(choice, env)
    const holder = operatorHolder(identity)
    const source = new TokenSource(holder, operatorCredential(identity, cloud), cloud, systemClock)
    return await source.token(AbortSignal.timeout(20_000))
  }

  test('to a client with a secret, and to the identity of a machine', async () => {
    const { clientId, clientSecret } = identityNamed(vault, 'operator')
    const environment = {
      AZURE_TENANT_ID: vault.info.tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_CLIENT_SECRET: clientSecret ?? '',
    }
    const machine = { AZURE_CLIENT_ID: identityNamed(vault, 'akv-issuer').clientId }
    for (const [choice, env] of [
      ['auto', environment],
      ['managed', machine],
    ] as const) {
      assert.equal(tokenClaims(await tokenOf(choice, env)).appid, env.AZURE_CLIENT_ID, choice)
    }
  })

  test('and none to an identity that the machine does not have', async () => {
    await assert.rejects(
      tokenOf('managed', { AZURE_CLIENT_ID: '99999999-9999-9999-9999-999999999999' }),
      (error) =>
        error instanceof IssuerError &&
        /^could not get a token for the managed identity with client id 9{8}-/.test(
          error.message,
        ) &&
        /check that it is assigned to this machine/.test(error.message),
    )
  })
})
