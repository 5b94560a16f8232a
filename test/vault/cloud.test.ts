import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { cloudBySuffix, parseVaultUrl } from '../../src/vault/cloud.ts'

const all = [...cloudBySuffix.keys()]

test('the cloud follows from the host of the vault', () => {
  for (const [url, authorityHost, scope] of [
    ['https://contoso.vault.azure.net', 'https://login.microsoftonline.com', 'vault.azure.net'],
    [
      'https://contoso.vault.azure.cn',
      'https://login.partner.microsoftonline.cn',
      'vault.azure.cn',
    ],
    [
      'https://contoso.managedhsm.usgovcloudapi.net',
      'https://login.microsoftonline.us',
      'managedhsm.usgovcloudapi.net',
    ],
  ] as const) {
    assert.deepEqual(parseVaultUrl(url, all), {
      url,
      host: url.slice('https://'.length),
      cloud: { authorityHost, scope: `https://${scope}/.default` },
      isManagedHsm: scope.startsWith('managedhsm.'),
    })
  }
})

test('a vault URL as the portal shows it, with capitals or a slash, is taken', () => {
  for (const url of ['https://contoso.vault.azure.net/', 'https://Contoso.vault.azure.net']) {
    assert.equal(parseVaultUrl(url, all).url, 'https://contoso.vault.azure.net')
  }
})

test('a URL that could draw a token elsewhere is refused', () => {
  for (const url of [
    'http://contoso.vault.azure.net',
    'https://contoso.vault.azure.net:8443',
    'https://contoso.vault.azure.net/secrets',
    'https://contoso.vault.azure.net?x=1',
    'https://contoso.vault.azure.net#x',
    'https://contoso.vault.azure.net@evil.example',
    'https://user@contoso.vault.azure.net',
    'https://vault.azure.net.evil.example',
    'https://evilvault.azure.net',
    'https://.vault.azure.net',
    'https://a.b.vault.azure.net',
    'https://contoso.vault.azure.net.',
    'contoso.vault.azure.net',
    '',
  ]) {
    assert.throws(
      () => parseVaultUrl(url, all),
      (error) => error instanceof IssuerError && error.code === 'VaultHostNotAllowed',
      url,
    )
  }
})

test('a suffix that the operator left out is refused with the list and the flag', () => {
  assert.throws(
    () => parseVaultUrl('https://contoso.vault.azure.cn', ['.vault.azure.net']),
    /"contoso\.vault\.azure\.cn" does not end in one of the allowed suffixes \.vault\.azure\.net; .*--vault-host-suffixes/,
  )
})
