import { makeCa } from '../../test/pki/make_ca.ts'
import { createVaultCa } from '../product/ca.ts'
import { clusterIssuers, type Scene } from '../product/scene.ts'
import { importCertificate, setSecret } from '../product/vault_objects.ts'
import { lifetime, pemOf } from './ca_cases.ts'
import type { Case } from './case.ts'

const noVersion = 'f'.repeat(32)

/** Issuers that name what is not in the vault, or may not be used. */
export async function vaultCases(scene: Scene): Promise<readonly Case[]> {
  return [...addressCases(scene), ...(await keyCases(scene)), ...(await secretCases(scene))]
}

const suffixes =
  'does not end in one of the allowed suffixes .vault.azure.net; correct vaultUrl, or have the ' +
  'operator of the controller extend --vault-host-suffixes'

function addressCases({ cluster, vault, ca }: Scene): readonly Case[] {
  const patch = (name: string, spec: object) => () =>
    cluster.must('PATCH', `${clusterIssuers}/${name}`, { spec })
  const doesNotResolve =
    'ENOTFOUND — the name does not resolve: check vaultUrl, that the vault exists, and the ' +
    'private DNS zone'
  const ofNobody = { certificate: { keyVaultCertificate: { name: 'ca', version: noVersion } } }
  return [
    {
      name: 'missing-vault',
      spec: { vaultUrl: 'https://nosuchvault.vault.azure.net' },
      reason: 'VaultUnavailable',
      message: `could not sign with key "ca" at https://nosuchvault.vault.azure.net: ${doesNotResolve}`,
      mend: patch('missing-vault', { vaultUrl: vault.url }),
    },
    {
      name: 'missing-vault-of-a-certificate',
      spec: { vaultUrl: 'https://nosuchvault.vault.azure.net', ca: ofNobody },
      reason: 'VaultUnavailable',
      message: `could not read certificate "ca" at https://nosuchvault.vault.azure.net: ${doesNotResolve}`,
    },
    {
      name: 'not-a-vault',
      spec: { vaultUrl: 'https://contoso.vault.example' },
      reason: 'VaultHostNotAllowed',
      message: `vaultUrl host "contoso.vault.example" ${suffixes}`,
    },
    {
      name: 'cloud-not-allowed',
      spec: { vaultUrl: 'https://contoso.vault.azure.cn' },
      reason: 'VaultHostNotAllowed',
      message: `vaultUrl host "contoso.vault.azure.cn" ${suffixes}`,
    },
    {
      name: 'missing-key',
      spec: {
        ca: { key: { name: 'nosuchkey', version: noVersion }, certificate: { pem: ca.pem } },
      },
      reason: 'VaultNotFound',
      message: notFound('sign with', 'key', 'nosuchkey', 'KeyNotFound'),
    },
    {
      name: 'missing-version',
      spec: { ca: { key: { ...ca.key, version: noVersion }, certificate: { pem: ca.pem } } },
      reason: 'VaultNotFound',
      message: notFound('sign with', 'key', 'ca', 'KeyNotFound'),
      mend: patch('missing-version', { ca: { key: ca.key } }),
    },
    {
      name: 'missing-certificate',
      spec: { ca: ofNobody },
      reason: 'VaultNotFound',
      message: notFound('read', 'certificate', 'ca', 'CertificateNotFound'),
    },
    {
      name: 'missing-key-vault-secret',
      spec: {
        ca: { key: ca.key, certificate: { keyVaultSecret: { name: 'ca', version: noVersion } } },
      },
      reason: 'VaultNotFound',
      message: notFound('read', 'secret', 'ca', 'SecretNotFound'),
    },
  ]
}

function notFound(verb: string, kind: string, name: string, code: string): string {
  return (
    `could not ${verb} ${kind} "${name}" at https://contoso.vault.azure.net: HTTP 404 ${code}: ` +
    `A ${kind} with (name/id) ${name}/${noVersion} was not found in this key vault — check that the ` +
    `${kind} "${name}" with version ${noVersion} is in this vault and not deleted, and that it is spelled right`
  )
}

async function keyCases({ vault }: Scene): Promise<readonly Case[]> {
  const now = Math.floor(Date.now() / 1000)
  const states = [
    {
      name: 'disabled-key',
      change: { attributes: { enabled: false } },
      said: 'KeyDisabled: Operation sign is not allowed on a disabled key',
      advice: (key: string) => `enable the ${key}, or name a version that may be used`,
      mended: { attributes: { enabled: true } },
    },
    {
      name: 'expired-key',
      change: { attributes: { exp: now - 3600 } },
      said: 'KeyExpired: Operation sign is not allowed on an expired key',
      advice: (key: string) => `give the ${key} a later expiry date, or name a valid version`,
    },
    {
      name: 'future-key',
      change: { attributes: { nbf: now + 3600 } },
      said: 'KeyNotYetValid: Operation sign is not allowed on a key that is not yet valid',
      advice: (key: string) => `wait for the activation date of the ${key}, or change it`,
    },
    {
      name: 'key-not-for-signing',
      change: { key_ops: ['verify'] },
      said: 'KeyOperationForbidden: Operation sign is not permitted on this key',
      advice: (key: string) => `permit the operation "sign" for the ${key}`,
    },
  ]
  return Promise.all(
    states.map(async ({ name, change, said, advice, mended }): Promise<Case> => {
      const made = await createVaultCa(vault, name)
      const patch = (body: object) =>
        vault.manage('PATCH', `keys/${name}/${made.key.version}`, body)
      await patch(change)
      return {
        name,
        spec: { ca: { key: made.key, certificate: { pem: made.pem } } },
        reason: 'VaultKeyUnusable',
        message:
          `could not sign with key "${name}" at https://contoso.vault.azure.net: HTTP 403 Forbidden/` +
          `${said} — ${advice(`key "${name}" with version ${made.key.version}`)}`,
        mend: mended && (() => patch(mended)),
      }
    }),
  )
}

async function secretCases({ vault, ca }: Scene): Promise<readonly Case[]> {
  const secret = await setSecret(vault, 'disabled-secret', ca.pem)
  await vault.manage('PATCH', `secrets/disabled-secret/${secret.version}`, {
    attributes: { enabled: false },
  })
  const disabledSecret: Case = {
    name: 'disabled-secret',
    spec: { ca: { key: ca.key, certificate: { keyVaultSecret: secret } } },
    reason: 'VaultKeyUnusable',
    message:
      'could not read secret "disabled-secret" at https://contoso.vault.azure.net: HTTP 403 Forbidden/' +
      'SecretDisabled: Operation get is not allowed on a disabled secret — enable the secret ' +
      `"disabled-secret" with version ${secret.version}`,
  }
  const imported = makeCa({ name: 'Imported Root', ...lifetime() })
  const { privateKey } = imported.key
  const behind = await importCertificate(vault, 'imported', pemOf(imported), privateKey)
  const secretBehind: Case = {
    name: 'secret-behind-a-certificate',
    spec: { ca: { key: behind, certificate: { keyVaultSecret: behind } } },
    reason: 'ReferenceInvalid',
    message:
      'spec.ca.certificate.keyVaultSecret "imported" is the secret behind a Key Vault certificate and ' +
      "can hold the CA's private key — use keyVaultCertificate, or a secret with PEM certificates alone",
  }
  return [disabledSecret, secretBehind]
}
