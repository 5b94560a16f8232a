import type { Scene } from '../product/scene.ts'
import type { Case } from './case.ts'

const noGuid = '99999999-9999-9999-9999-999999999999'
/** May do nothing in the vault. */
const stranger = '44444444-4444-4444-4444-444444444444'
const references = '/api/v1/namespaces/akv-issuer'

/** Issuers that are nobody, or not let in, and those that refer to what is not in the cluster. */
export async function identityCases(scene: Scene): Promise<readonly Case[]> {
  await createReferences(scene)
  return [...refusedCases(scene), ...referenceCases(scene)]
}

async function createReferences({ cluster, vault, ca }: Scene): Promise<void> {
  await vault.admin('PUT', '/identities', { clientId: stranger, secrets: ['a-secret'] })
  const secret = (name: string, value: string) =>
    cluster.must('POST', `${references}/secrets`, {
      metadata: { name },
      data: { value: Buffer.from(value).toString('base64') },
    })
  await secret('stranger', 'a-secret')
  await secret('mistyped', 'not the secret')
  await cluster.must('POST', `${references}/configmaps`, {
    metadata: { name: 'ca' },
    data: { 'ca.crt': ca.pem },
  })
}

function refusedCases({ vault, ca }: Scene): readonly Case[] {
  const { tenantId } = vault
  const { clientId } = vault.identity('akv-issuer')
  const ofStranger = {
    clientSecret: {
      tenantId,
      clientId: stranger,
      secretRef: { name: 'stranger', key: 'value' },
    },
  }
  const forbidden =
    'at https://contoso.vault.azure.net: HTTP 403 Forbidden/ForbiddenByRbac: Caller is not ' +
    `authorized to perform action on resource — grant client ${stranger} the role`
  const takesTime = 'on the vault; a new role assignment takes some minutes to work'
  return [
    {
      name: 'wrong-tenant',
      spec: { identity: { workload: { tenantId: noGuid } } },
      reason: 'IdentityRefused',
      message: `${refused(clientId, noGuid)}: AADSTS90002 — there is no such tenant: check tenantId`,
    },
    {
      name: 'not-a-tenant',
      spec: { identity: { workload: { tenantId: 'Contoso Corp' } } },
      reason: 'IdentityRefused',
      message:
        'tenantId "Contoso Corp" is neither a GUID nor a domain — copy the "Tenant ID" of the ' +
        'directory that the vault belongs to',
    },
    {
      name: 'unknown-client',
      spec: { identity: { workload: { clientId: noGuid } } },
      reason: 'IdentityRefused',
      message: `${refused(noGuid, tenantId)}: AADSTS700016 — the tenant has no application with this clientId: check clientId and tenantId`,
    },
    {
      name: 'wrong-client-secret',
      spec: {
        identity: {
          clientSecret: { tenantId, clientId, secretRef: { name: 'mistyped', key: 'value' } },
        },
      },
      reason: 'IdentityRefused',
      message: `${refused(clientId, tenantId)}: AADSTS7000215 — the client secret is wrong: put its value (not its id) into the Secret`,
    },
    {
      name: 'may-not-sign',
      spec: { identity: ofStranger },
      reason: 'VaultForbidden',
      message: `could not sign with key "ca" ${forbidden} "Key Vault Crypto User", or one with the data action Microsoft.KeyVault/vaults/keys/sign/action, ${takesTime}`,
      mend: () =>
        vault.admin('PUT', '/identities', {
          clientId: stranger,
          secrets: ['a-secret'],
          permissions: [{ actions: ['keys/sign/action'] }],
        }),
    },
    {
      name: 'may-not-read-the-certificate',
      spec: {
        identity: ofStranger,
        ca: { key: ca.key, certificate: { keyVaultCertificate: ca.key } },
      },
      reason: 'VaultForbidden',
      message: `could not read certificate "ca" ${forbidden} "Key Vault Reader", or one with the data action Microsoft.KeyVault/vaults/certificates/read, ${takesTime}`,
    },
  ]
}

function referenceCases({ cluster, vault, ca }: Scene): readonly Case[] {
  const { tenantId } = vault
  const { clientId, clientSecret } = vault.identity('akv-issuer')
  const bySecret = (name: string, key: string) => ({
    identity: { clientSecret: { tenantId, clientId, secretRef: { name, key } } },
  })
  const byConfigMap = (name: string, key: string) => ({
    ca: { key: ca.key, certificate: { configMapRef: { name, key } } },
  })
  const create = (kind: string, name: string, data: object) => () =>
    cluster.must('POST', `${references}/${kind}`, { metadata: { name }, data })
  return [
    {
      name: 'missing-secret',
      spec: bySecret('to-be-made', 'value'),
      reason: 'ReferenceNotFound',
      message:
        'Secret "to-be-made" not found in namespace "akv-issuer" — create it there with the key ' +
        '"value", or correct the reference',
      mend: create('secrets', 'to-be-made', {
        value: Buffer.from(`${clientSecret}\n`).toString('base64'),
      }),
    },
    {
      name: 'missing-key-of-a-secret',
      spec: bySecret('mistyped', 'secret'),
      reason: 'ReferenceNotFound',
      message:
        'Secret "mistyped" in namespace "akv-issuer" has no key "secret", or it is empty — add it, ' +
        'or correct the reference',
    },
    {
      name: 'missing-configmap',
      spec: byConfigMap('nosuch', 'ca.crt'),
      reason: 'ReferenceNotFound',
      message:
        'ConfigMap "nosuch" not found in namespace "akv-issuer" — create it there with the key ' +
        '"ca.crt", or correct the reference',
    },
    {
      name: 'missing-key-of-a-configmap',
      spec: byConfigMap('ca', 'tls.crt'),
      reason: 'ReferenceNotFound',
      message:
        'ConfigMap "ca" in namespace "akv-issuer" has no key "tls.crt", or it is empty — add it, or ' +
        'correct the reference',
    },
  ]
}

function refused(client: string, tenant: string): string {
  return `Entra refused a token for client ${client} in tenant ${tenant}`
}
