import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientSecretCredential } from '@azure/identity'
import { identityFailure } from '../../src/vault/identity_failure.ts'
import { credentialOver } from '../../src/vault/token_transport.ts'

const tenantId = '11111111-1111-1111-1111-111111111111'
const scope = 'https://vault.azure.net/.default'

test('why Entra was not reached is told, though msal forgets it', async () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const credential = credentialOver(
    { sendRequest: () => Promise.reject(refused) },
    { disableInstanceDiscovery: true, retryOptions: { maxRetries: 0 } },
    (options) => new ClientSecretCredential(tenantId, 'c1', 'secret', options),
  )
  await assert.rejects(credential.getToken(scope), (thrown) => {
    const identity = { type: 'clientSecret', tenantId, clientId: 'c1', clientSecret: 's' } as const
    const { code, message } = identityFailure(identity, thrown)
    assert.deepEqual(
      [code, message],
      [
        'IdentityUnavailable',
        `could not get a token for client c1 in tenant ${tenantId}: ECONNREFUSED — check the way from ` +
          'the cluster to Entra; tried again',
      ],
    )
    return true
  })
})
