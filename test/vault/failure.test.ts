import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { cloudBySuffix } from '../../src/vault/cloud.ts'
import { type VaultAction, type VaultAnswer, vaultFailure } from '../../src/vault/failure.ts'
import { credentialOf } from '../../src/vault/identity.ts'

const action: VaultAction = {
  what: 'sign with key "ca"',
  vaultUrl: 'https://contoso.vault.azure.net',
  who: 'client c1',
  right: {
    role: 'Key Vault Crypto User',
    dataAction: 'Microsoft.KeyVault/vaults/keys/sign/action',
    accessPolicy: '"sign" for keys',
  },
  object: 'key "ca" with version f0',
  ifRefused: 'name another key',
}

/** What Key Vault answers, and what a person reads of it. */
const failures: readonly [Partial<VaultAnswer>, code: string, message: string][] = [
  [
    {
      status: 403,
      code: 'Forbidden',
      innerCode: 'ForbiddenByRbac',
      message: 'Not you.\r\nVault: x',
    },
    'VaultForbidden',
    'HTTP 403 Forbidden/ForbiddenByRbac: Not you — grant client c1 the role "Key Vault Crypto User", or ' +
      'one with the data action Microsoft.KeyVault/vaults/keys/sign/action, on the vault; a new role ' +
      'assignment takes some minutes to work',
  ],
  [
    { status: 403, code: 'Forbidden', innerCode: 'AccessDenied' },
    'VaultForbidden',
    'HTTP 403 Forbidden/AccessDenied — give client c1 the permission "sign" for keys in the access ' +
      'policies of the vault',
  ],
  [
    {
      status: 403,
      code: 'Forbidden',
      innerCode: 'ForbiddenByFirewall',
      networkInfo: 'addr=10.0.0.1',
    },
    'VaultForbidden',
    "HTTP 403 Forbidden/ForbiddenByFirewall — allow the cluster in the vault's firewall or use a " +
      'private endpoint (the vault saw addr=10.0.0.1)',
  ],
  [
    { status: 403, code: 'Forbidden', innerCode: 'KeyDisabled' },
    'VaultKeyUnusable',
    'HTTP 403 Forbidden/KeyDisabled — enable the key "ca" with version f0, or name a version that may ' +
      'be used',
  ],
  [
    {
      status: 404,
      code: 'KeyNotFound',
      message:
        'A key was not found. If you recently deleted this key you may be able to recover it.',
    },
    'VaultNotFound',
    'HTTP 404 KeyNotFound: A key was not found — check that the key "ca" with version f0 is in this ' +
      'vault and not deleted, and that it is spelled right',
  ],
  [
    { status: 400, code: 'BadParameter', message: 'Wrong kind.' },
    'VaultRefused',
    'HTTP 400 BadParameter: Wrong kind — name another key',
  ],
  [
    { status: 429, code: 'Throttled' },
    'VaultThrottled',
    'HTTP 429 Throttled — the vault asks for fewer calls; tried again',
  ],
  [
    { status: 503, code: 'ServiceUnavailable' },
    'VaultUnavailable',
    'HTTP 503 ServiceUnavailable — Key Vault is in trouble; tried again',
  ],
]

test('what Key Vault refuses is told with what to do about it', () => {
  for (const [answer, code, message] of failures) {
    const error = vaultFailure(action, { ...silent, ...answer })
    assert.deepEqual(
      [error.code, error.message],
      [code, `could not sign with key "ca" at https://contoso.vault.azure.net: ${message}`],
    )
  }
})

test('a tenantId that can be none is refused before it is used', () => {
  const [cloud] = cloudBySuffix.values()
  assert(cloud)
  const identity = { type: 'clientSecret', clientId: 'c1', clientSecret: 's' } as const
  for (const tenantId of ['Contoso Corp', '', 'contoso.com/', '{tenant}']) {
    assert.throws(
      () => credentialOf({ ...identity, tenantId }, cloud),
      (error) => error instanceof IssuerError && error.code === 'IdentityRefused',
      tenantId,
    )
  }
  assert.ok(credentialOf({ ...identity, tenantId: 'contoso.onmicrosoft.com' }, cloud))
})

const silent: VaultAnswer = {
  status: 0,
  code: '',
  innerCode: '',
  message: '',
  retryAfterMs: undefined,
  requestId: '',
  networkInfo: '',
}
