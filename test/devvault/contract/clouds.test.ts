import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AzureAuthorityHosts, ClientSecretCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import type { DevVault } from '../../../src/devvault/dev_vault.ts'
import { askToken, identityNamed, raw, startHere, stringAt } from '../here.ts'
import { apiVersion, devOnly } from './target.ts'

/** What sovereign clouds have of their own. One vault of each, so only on the dev vault. */

const clouds = [
  {
    vault: 'contoso.vault.azure.net',
    authority: 'login.microsoftonline.com',
    resource: 'https://vault.azure.net',
  },
  {
    vault: 'contoso.vault.azure.cn',
    authority: 'login.chinacloudapi.cn',
    resource: 'https://vault.azure.cn',
  },
  {
    vault: 'contoso.vault.usgovcloudapi.net',
    authority: 'login.microsoftonline.us',
    resource: 'https://vault.usgovcloudapi.net',
  },
] as const

let dev: DevVault

before(async () => {
  dev = await startHere({ vaults: ['contoso', ...clouds.slice(1).map(({ vault }) => vault)] })
})
after(() => dev.stop())

function ask(authority: string, resource: string) {
  const { clientId, clientSecret } = identityNamed(dev, 'operator')
  const form = { client_id: clientId, client_secret: clientSecret ?? '' }
  const scope = `${resource}/.default`
  return askToken(dev, { grant_type: 'client_credentials', scope, ...form }, { host: authority })
}

test('the challenge names authority and resource of the cloud', devOnly, async () => {
  for (const { vault, authority, resource } of clouds) {
    const { status, headers } = await raw(dev, { host: vault, path: '/keys' })
    assert.equal(status, 401)
    assert.equal(
      headers['www-authenticate'],
      `Bearer authorization="https://${authority}/${dev.info.tenantId}", resource="${resource}"`,
    )
  }
})

test('Entra knows the vaults of its own cloud alone', devOnly, async () => {
  for (const { authority } of clouds) {
    for (const { authority: home, resource } of clouds) {
      const { status, body } = await ask(authority, resource)
      if (home === authority) assert.equal(status, 200)
      else assert.match(stringAt(body, 'error_description'), /^AADSTS500011: /)
    }
  }
})

test('a vault takes the tokens of its own cloud alone', devOnly, async () => {
  for (const { authority, resource } of clouds) {
    const token = stringAt((await ask(authority, resource)).body, 'access_token')
    for (const { vault, authority: home } of clouds) {
      const path = `/keys?api-version=${apiVersion}`
      const { status, body } = await raw(dev, { host: vault, path, token })
      if (home === authority) assert.equal(status, 200)
      else assert.match(stringAt(body, 'error', 'message'), /^AKV100(22|32): /)
    }
  }
})

test('the SDK asks the authority that its cloud prefers', devOnly, async () => {
  const { clientId, clientSecret } = identityNamed(dev, 'operator')
  for (const [authorityHost, vault, asked] of [
    [AzureAuthorityHosts.AzureChina, clouds[1].vault, 'login.partner.microsoftonline.cn'],
    [AzureAuthorityHosts.AzureGovernment, clouds[2].vault, 'login.microsoftonline.us'],
  ] as const) {
    dev.control.journal.reset()
    const options = { authorityHost }
    const { tenantId } = dev.info
    const credential = new ClientSecretCredential(tenantId, clientId, clientSecret ?? '', options)
    await assert.rejects(new KeyClient(`https://${vault}`, credential).getKey('contract-none'), {
      code: 'KeyNotFound',
    })
    const tokens = dev.control.journal
      .requests()
      .filter(({ operation }) => operation === 'entra/token')
    assert.deepEqual(
      tokens.map(({ host }) => host),
      [asked],
    )
  }
})
