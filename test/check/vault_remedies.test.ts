import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { failed } from '../../src/check/finding.ts'
import { remedyOf } from '../../src/check/remedy.ts'
import type { Setting } from '../../src/check/setting.ts'
import type { IssuerError } from '../../src/error.ts'
import { type VaultAction, vaultFailure, vaultUnreachable } from '../../src/vault/failure.ts'
import { clientId, makeSetting, vaultUrl, version } from './setting.ts'

const sign: VaultAction = {
  what: 'sign with key "ca"',
  vaultUrl,
  who: `client ${clientId}`,
  right: {
    role: 'Key Vault Crypto User',
    dataAction: 'Microsoft.KeyVault/vaults/keys/sign/action',
    accessPolicy: '"sign" for keys',
  },
  object: `key "ca" with version ${version}`,
  ifRefused: 'name another',
}
const readSecret: VaultAction = {
  ...sign,
  what: 'read secret "ca-pem"',
  right: { ...sign.right, role: 'Key Vault Secrets User', accessPolicy: '"get" for secrets' },
  object: `secret "ca-pem" with version ${version}`,
}

function refused(action: VaultAction, status: number, innerCode = '', networkInfo = '') {
  const answer = { status, code: 'Forbidden', innerCode, message: 'No.', networkInfo }
  return vaultFailure(action, { ...answer, retryAfterMs: undefined, requestId: '' })
}

function commands({ code, message }: Pick<IssuerError, 'code' | 'message'>, setting?: Setting) {
  return remedyOf(failed('probe', code, message), setting ?? makeSetting())
}

const key = `--vault-name contoso --name ca \\\n  --version ${version}`
const showVault =
  'az keyvault show --name contoso \\\n' +
  '  --query "properties.{uri:vaultUri, access:publicNetworkAccess, rules:networkAcls, ' +
  'endpoints:privateEndpointConnections}"'

describe('what Key Vault refuses has its command', () => {
  const cases: Readonly<Record<string, readonly [IssuerError, readonly string[]]>> = {
    'a role is missing': [
      refused(sign, 403, 'ForbiddenByRbac'),
      [
        `az role assignment create --assignee ${clientId} --role "Key Vault Crypto User" \\\n` +
          '  --scope "$(az keyvault show --name contoso --query id --output tsv)"/keys/ca',
      ],
    ],
    'a role is missing for a secret': [
      refused(readSecret, 403, 'ForbiddenByRbac'),
      [
        `az role assignment create --assignee ${clientId} --role "Key Vault Secrets User" \\\n` +
          '  --scope "$(az keyvault show --name contoso --query id --output tsv)"/secrets/ca-pem',
      ],
    ],
    'a vault with access policies': [
      refused(sign, 403, 'AccessDenied'),
      [
        `az keyvault set-policy --name contoso --spn ${clientId} --key-permissions sign   # name those it has, too: they are replaced`,
      ],
    ],
    'the firewall of the vault': [
      refused(
        sign,
        403,
        'ForbiddenByFirewall',
        'conn_type=Ipv4;addr=203.0.113.7;act_addr_fam=InterNetwork;',
      ),
      ['az keyvault network-rule add --name contoso --ip-address 203.0.113.7'],
    ],
    'a vault behind a private endpoint': [
      refused(sign, 403, 'ForbiddenByConnection'),
      [
        'az keyvault show --name contoso --query properties.privateEndpointConnections',
        'az keyvault update --name contoso --public-network-access Enabled   # if it may be public',
      ],
    ],
    'a disabled key': [
      refused(sign, 403, 'KeyDisabled'),
      [`az keyvault key set-attributes ${key} --enabled true`],
    ],
    'an expired key': [
      refused(sign, 403, 'KeyExpired'),
      [`az keyvault key set-attributes ${key} --expires 2027-11-22T10:00:00Z`],
    ],
    'a key before its time': [
      refused(sign, 403, 'KeyNotYetValid'),
      [`az keyvault key set-attributes ${key} --not-before 2026-11-22T10:00:00Z`],
    ],
    'a key that may not sign': [
      refused(sign, 403, 'KeyOperationForbidden'),
      [`az keyvault key set-attributes ${key} --ops sign verify`],
    ],
    'a disabled secret': [
      refused(readSecret, 403, 'SecretDisabled'),
      [
        `az keyvault secret set-attributes --vault-name contoso --name ca-pem \\\n  --version ${version} --enabled true`,
      ],
    ],
    'a key that cannot sign so': [
      refused(sign, 400),
      [
        'az keyvault key show --vault-name contoso --name ca \\\n' +
          '  --query "{type:key.kty, curve:key.crv, operations:key.keyOps, attributes:attributes}"',
      ],
    ],
    'no such key': [
      refused(sign, 404),
      [
        'az keyvault key list-versions --vault-name contoso --name ca --output table',
        'az keyvault key list --vault-name contoso --output table',
        'az keyvault key recover --vault-name contoso --name ca   # if it was deleted',
      ],
    ],
    'a name that does not resolve': [
      vaultUnreachable(sign, Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
      [showVault],
    ],
    'no answer': [vaultUnreachable(sign, new Error('broken')), [showVault]],
    'a token of another tenant': [refused(sign, 401), ['az login']],
    'too many calls': [
      refused(sign, 429),
      [
        'az monitor metrics list --metric ServiceApiHit --interval PT1M \\\n' +
          '  --resource "$(az keyvault show --name contoso --query id --output tsv)"',
      ],
    ],
  }
  for (const [name, [error, expected]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(commands(error), expected, error.message))
  }
})

test('a Managed HSM has roles of its own', () => {
  const setting = makeSetting({}, { vaultUrl: 'https://contoso.managedhsm.azure.net' })
  assert.deepEqual(commands(refused(sign, 403, 'ForbiddenByRbac'), setting), [
    `az keyvault role assignment create --hsm-name contoso --assignee ${clientId} \\\n` +
      '  --role "Managed HSM Crypto User" --scope /keys/ca',
  ])
})

test('who has no client id is named by the object id of the token', () => {
  const anybody = { ...sign, who: 'the account that az is logged in with' }
  const setting = makeSetting({ assignee: 'c0ffee00-0000-4000-8000-000000000000' })
  assert.match(
    commands(refused(anybody, 403, 'ForbiddenByRbac'), setting)[0] ?? '',
    /^az role assignment create --assignee c0ffee00-0000-4000-8000-000000000000 --role/,
  )
})

describe('what is wrong with certificates has its command', () => {
  const ofVersion = (what: string) => `version ${version} of certificate "myapp" ${what}`
  const which = '--vault-name contoso --name myapp'
  const renew =
    `az keyvault certificate create ${which} \\\n` +
    `  --policy "$(az keyvault certificate show ${which} --query policy --output json)"`
  const cases: Readonly<
    Record<string, readonly [Pick<IssuerError, 'code' | 'message'>, readonly string[]]>
  > = {
    'a disabled version': [
      { code: 'CertificateInvalid', message: ofVersion('is disabled; there is no other') },
      [`az keyvault certificate set-attributes ${which} \\\n  --version ${version} --enabled true`],
    ],
    'an expired version': [
      { code: 'CertificateInvalid', message: ofVersion('expired at 2026-01-01T00:00:00Z; none') },
      [renew],
    ],
    'a key that may not leave the vault': [
      {
        code: 'CertificateInvalid',
        message: ofVersion(
          'cannot be delivered: the secret holds no private key: the key is not exportable',
        ),
      },
      [
        `az keyvault certificate show ${which} --query policy --output json \\\n` +
          `  | sed 's/"exportable": false/"exportable": true/' > policy.json`,
        `az keyvault certificate create ${which} --policy @policy.json`,
      ],
    ],
    'a CA certificate that expired': [
      {
        code: 'CertificateExpired',
        message:
          'spec.ca: the CA certificate for CN=Mesh,O=Contoso expired at 2026-01-01T00:00:00Z; give a renewed one',
      },
      [
        `akv-issuer ca csr --vault ${vaultUrl} --name ca --key-version ${version} \\\n` +
          '  --subject "CN=Mesh,O=Contoso" --output ca.csr',
        `akv-issuer ca install --vault ${vaultUrl} --name ca --certificate ca.pem --chain above.pem --replace`,
      ],
    ],
    'a key that is another': [
      {
        code: 'CertificateKeyMismatch',
        message: `a signature by ${vaultUrl}/keys/ca/${version} does not verify with the public key`,
      },
      [
        'az keyvault key list-versions --vault-name contoso --name ca --query "[].kid" --output tsv',
        `akv-issuer ca show --vault ${vaultUrl} --name ca`,
      ],
    ],
    'a key that ends soon': [
      {
        code: 'VaultKeyUnusable',
        message: `key "ca" with version ${version} expires at 2026-12-01T00:00:00Z; from then on nothing is signed`,
      },
      [`az keyvault key set-attributes ${key} --expires 2027-11-22T10:00:00Z`],
    ],
  }
  for (const [name, [error, expected]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(commands(error), expected))
  }
})

test('what others wrote is one word of a command, and no command', () => {
  const name = `x"; rm -rf ~; $(id) 'y`
  const action = { ...sign, what: `sign with key "$(id)'"`, object: name }
  assert.deepEqual(commands(refused(action, 403, 'ForbiddenByRbac')), [
    `az role assignment create --assignee ${clientId} --role "Key Vault Crypto User" \\\n` +
      `  --scope "$(az keyvault show --name contoso --query id --output tsv)"/keys/'$(id)'\\'''`,
  ])
})
