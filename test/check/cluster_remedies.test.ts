import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FindingCode, failed } from '../../src/check/finding.ts'
import { remedyOf } from '../../src/check/remedy.ts'
import type { Setting } from '../../src/check/setting.ts'
import { identityFailure } from '../../src/vault/identity_failure.ts'
import { clientId, makeSetting, vaultUrl } from './setting.ts'

const tenantId = '7e57ab1e-0000-4000-8000-000000000000'
const workload = {
  type: 'workload',
  tenantId,
  clientId,
  tokenFile: '/token',
  proxy: undefined,
} as const

function entraRefused(code: string): string {
  return identityFailure(workload, new Error(`AADSTS${code}: no`)).message
}

const oidc =
  '$(kubectl get --raw /.well-known/openid-configuration | sed \'s/.*"issuer":"\\([^"]*\\)".*/\\1/\')'
const identity = (field: string) =>
  `"$(az identity list --query "[?clientId=='${clientId}'].${field}" --output tsv)"`
const ofIdentity = `--identity-name ${identity('name')} \\\n  --resource-group ${identity('resourceGroup')}`

interface Case {
  readonly code: FindingCode
  readonly message: string
  readonly setting?: Setting
  readonly commands: readonly string[]
}

const issuer = { kind: 'Issuer', namespace: 'team-a', name: 'own' } as const
const teams = makeSetting(
  { issuer, referenceNamespace: 'team-a' },
  { identity: { workload: { serviceAccountRef: { name: 'vault' } } } },
)

const cases: Readonly<Record<string, Case>> = {
  'no federated credential for the controller': {
    code: 'IdentityRefused',
    message: entraRefused('700213'),
    commands: [
      `az identity federated-credential create --name akv-issuer \\\n  ${ofIdentity} \\\n` +
        `  --issuer "${oidc}" \\\n` +
        '  --subject system:serviceaccount:akv-issuer:akv-issuer --audiences api://AzureADTokenExchange',
    ],
  },
  'no federated credential for the ServiceAccount of a team': {
    code: 'IdentityRefused',
    message: entraRefused('70021'),
    setting: teams,
    commands: [
      `az identity federated-credential create --name team-a-vault \\\n  ${ofIdentity} \\\n` +
        `  --issuer "${oidc}" \\\n` +
        '  --subject system:serviceaccount:team-a:vault --audiences api://AzureADTokenExchange',
    ],
  },
  'a client without identity binding': {
    code: 'IdentityRefused',
    message:
      "the cluster's token proxy https://kubernetes.default.svc answered HTTP 403 — check that client " +
      `${clientId} has an identity binding to this cluster`,
    commands: [
      'az aks identity-binding list --resource-group RESOURCE_GROUP --cluster-name CLUSTER',
      `kubectl auth can-i use-managed-identity ${clientId}.cid.wi.aks.azure.com \\\n` +
        '  --as system:serviceaccount:akv-issuer:akv-issuer',
    ],
  },
  'no way to Entra of another cloud': {
    code: 'IdentityUnavailable',
    message: identityFailure(workload, new Error('no route')).message,
    setting: makeSetting({}, { vaultUrl: 'https://contoso.vault.azure.cn' }),
    commands: ['curl --head https://login.partner.microsoftonline.cn'],
  },
  'a federated credential for another audience': {
    code: 'IdentityRefused',
    message: entraRefused('700212'),
    commands: [
      `az identity federated-credential update \\\n  ${ofIdentity} \\\n` +
        `  --name "$(az identity federated-credential list ${ofIdentity.replace(' \\\n  ', ' ')} ` +
        `--query "[?subject=='system:serviceaccount:akv-issuer:akv-issuer'].name" --output tsv)" \\\n` +
        '  --audiences api://AzureADTokenExchange',
    ],
  },
  'no such application': {
    code: 'IdentityRefused',
    message: entraRefused('700016'),
    commands: [
      `az ad sp show --id ${clientId} --query "{name:displayName, tenant:appOwnerOrganizationId}"`,
      'az keyvault show --name contoso --query properties.tenantId --output tsv',
    ],
  },
  'no such tenant': {
    code: 'IdentityRefused',
    message: entraRefused('90002'),
    commands: ['az keyvault show --name contoso --query properties.tenantId --output tsv'],
  },
  'a client secret that expired': {
    code: 'IdentityRefused',
    message: entraRefused('7000222'),
    setting: makeSetting(
      {},
      {
        identity: {
          clientSecret: { tenantId, clientId, secretRef: { name: 'entra', key: 'secret' } },
        },
      },
    ),
    commands: [
      'kubectl create secret generic entra --namespace akv-issuer \\\n' +
        `  --from-literal secret="$(az ad app credential reset --id ${clientId} --append --query password --output tsv)" \\\n` +
        '  --dry-run=client --output yaml | kubectl apply --filename -',
    ],
  },
  'a client certificate that is not registered': {
    code: 'IdentityRefused',
    message: entraRefused('700027'),
    setting: makeSetting(
      {},
      { identity: { clientCertificate: { tenantId, clientId, secretRef: { name: 'entra' } } } },
    ),
    commands: [
      'kubectl get secret entra --namespace akv-issuer \\\n' +
        `  --output jsonpath='{.data.tls\\.crt}' | base64 --decode > tls.crt`,
      `az ad app credential reset --id ${clientId} --append --cert @tls.crt`,
    ],
  },
  'an account of another tenant': {
    code: 'IdentityRefused',
    message: `the token of alice@contoso.com is of tenant x; the vault takes those of tenant ${tenantId}`,
    setting: makeSetting({ tenantId }),
    commands: [`az login --tenant ${tenantId}`],
  },
  'az is not logged in': {
    code: 'IdentityRefused',
    message: 'could not get a token for the account that az is logged in with: no — run az login',
    commands: ['az login'],
  },
  'an Issuer that would be the controller': {
    code: 'IdentityRefused',
    message:
      "spec.identity.workload is the controller's own identity, which Issuers may not use here",
    commands: [
      'helm upgrade akv-issuer charts/akv-issuer --namespace akv-issuer --reuse-values \\\n' +
        '  --set controller.issuerAmbientIdentity=true',
    ],
  },
  'a ConfigMap that is missing': {
    code: 'ReferenceNotFound',
    message:
      'ConfigMap "chain" not found in namespace "akv-issuer" — create it there with the key "ca.pem", or correct the reference',
    commands: ['kubectl create configmap chain --namespace akv-issuer --from-file ca.pem=FILE'],
  },
  'a Secret that is missing': {
    code: 'ReferenceNotFound',
    message:
      'Secret "entra" not found in namespace "akv-issuer" — create it there with the keys "tls.crt" and "tls.key", or correct the reference',
    commands: ['kubectl create secret tls entra --namespace akv-issuer --cert FILE --key FILE'],
  },
  'a Secret that the controller may not read': {
    code: 'KubeForbidden',
    message: 'the controller may not read Secret "entra" in namespace "team-a" — bind ClusterRole',
    setting: teams,
    commands: [
      'kubectl create rolebinding akv-issuer-issuer-references --namespace team-a \\\n' +
        '  --clusterrole akv-issuer-issuer-references --serviceaccount akv-issuer:akv-issuer',
    ],
  },
  'a ServiceAccount whose tokens the controller may not make': {
    code: 'KubeForbidden',
    message: 'the controller may not read ServiceAccount "vault" in namespace "team-a" — let it',
    setting: teams,
    commands: [
      'kubectl create role akv-issuer-get-vault --namespace team-a \\\n' +
        '  --verb get --resource serviceaccounts --resource-name vault',
      'kubectl create rolebinding akv-issuer-get-vault --namespace team-a --role akv-issuer-get-vault --serviceaccount akv-issuer:akv-issuer',
      'kubectl create role akv-issuer-token-vault --namespace team-a \\\n' +
        '  --verb create --resource serviceaccounts/token --resource-name vault',
      'kubectl create rolebinding akv-issuer-token-vault --namespace team-a --role akv-issuer-token-vault --serviceaccount akv-issuer:akv-issuer',
    ],
  },
  'an issuer that is suspended': {
    code: 'IssuerSuspended',
    message: 'spec.suspend is true',
    setting: teams,
    commands: [
      `kubectl patch issuers.keyvault.akv-issuer.io own --namespace team-a --type merge --patch '{"spec":{"suspend":false}}'`,
    ],
  },
  'a spec that cannot be': {
    code: 'SpecInvalid',
    message: 'spec.ca.key is missing',
    commands: ['kubectl edit clusterissuers.keyvault.akv-issuer.io akv-issuer'],
  },
  'a spec in a file that cannot be': {
    code: 'SpecInvalid',
    message: 'spec.ca.key is missing',
    setting: makeSetting({ stored: false }),
    commands: [],
  },
  'a vault of nobody': {
    code: 'VaultHostNotAllowed',
    message: `vaultUrl "${vaultUrl}.example" is not of the form`,
    setting: makeSetting({ location: undefined }),
    commands: ['az keyvault list --query "[].properties.vaultUri" --output tsv'],
  },
  'no controller': {
    code: 'LeaseNotHeld',
    message: 'nobody holds it',
    commands: [
      'kubectl get pods --namespace akv-issuer --selector app.kubernetes.io/name=akv-issuer',
      'kubectl logs --namespace akv-issuer deployment/akv-issuer --tail 20',
    ],
  },
}

describe('what is wrong in Entra or in the cluster has its command', () => {
  for (const [name, { code, message, setting, commands }] of Object.entries(cases)) {
    test(name, () => {
      const found = failed('probe', code, message)
      assert.deepEqual(remedyOf(found, setting ?? makeSetting()), commands, message)
    })
  }
})
