import type { Remedy, Setting } from './setting.ts'
import { commandOf, plainWord, shellWord } from './shell.ts'
import type { Sighting } from './sighting.ts'

/** What Entra refuses, and what an identity lacks. */
export const entraRemedies: ReadonlyMap<string, Remedy> = new Map<string, Remedy>([
  ['IdentityRefused/AADSTS70021', federate],
  ['IdentityRefused/AADSTS700211', federate],
  ['IdentityRefused/AADSTS700213', federate],
  ['IdentityRefused/AADSTS700212', correctAudience],
  ['IdentityRefused/AADSTS700024', () => ['kubectl get nodes --output wide', 'date --utc']],
  ['IdentityRefused/AADSTS700016', showApplication],
  ['IdentityRefused/AADSTS90002', showTenants],
  ['IdentityRefused/AADSTS900023', showTenants],
  ['IdentityRefused/AADSTS7000215', newClientSecret],
  ['IdentityRefused/AADSTS7000222', newClientSecret],
  ['IdentityRefused/AADSTS700027', registerCertificate],
  [
    'IdentityRefused/AADSTS90061',
    () => [`curl --include "${oidcIssuer}.well-known/openid-configuration"`],
  ],
  ['IdentityRefused/TokenNotAccepted', logInToTenant],
  ['IdentityRefused/NotLoggedIn', logInToTenant],
  ['IdentityRefused/WorkloadNotSetUp', setUpWorkload],
  ['IdentityRefused/Ambient', allowAmbient],
  ['IdentityRefused/NotBound', showBinding],
  ['IdentityRefused', showTenants],
  ['IdentityUnavailable/NotFromHere', () => []],
  ['IdentityUnavailable', reachEntra],
])

const oidcIssuer =
  '$(kubectl get --raw /.well-known/openid-configuration | sed \'s/.*"issuer":"\\([^"]*\\)".*/\\1/\')'

const audience = 'api://AzureADTokenExchange'

function federate(seen: Sighting, setting: Setting): readonly string[] {
  return [
    commandOf(
      `az identity federated-credential create --name ${credentialName(setting)}`,
      ...whichIdentity(seen, setting),
      `--issuer "${oidcIssuer}"`,
      `--subject ${subjectOf(setting)} --audiences ${audience}`,
    ),
  ]
}

function correctAudience(seen: Sighting, setting: Setting): readonly string[] {
  const which = whichIdentity(seen, setting)
  const list = `az identity federated-credential list ${which.join(' ')}`
  const query = `"[?subject=='${subjectOf(setting)}'].name"`
  return [
    commandOf(
      'az identity federated-credential update',
      ...which,
      `--name "$(${list} --query ${query} --output tsv)"`,
      `--audiences ${audience}`,
    ),
  ]
}

/** Name and group of an identity are found by its client id. */
function whichIdentity(seen: Sighting, setting: Setting): readonly string[] {
  const clientId = clientOf(seen, setting)
  const found = (field: string) =>
    `"$(az identity list --query "[?clientId=='${clientId}'].${field}" --output tsv)"`
  return [`--identity-name ${found('name')}`, `--resource-group ${found('resourceGroup')}`]
}

function subjectOf({ spec, controllerNamespace, referenceNamespace }: Setting): string {
  const identity = spec?.identity
  const account =
    identity?.type === 'serviceAccount'
      ? `${referenceNamespace}:${identity.name}`
      : `${controllerNamespace}:akv-issuer`
  return plainWord(`system:serviceaccount:${account}`, 'SUBJECT')
}

function credentialName({ spec, referenceNamespace }: Setting): string {
  const identity = spec?.identity
  return identity?.type === 'serviceAccount'
    ? shellWord(`${referenceNamespace}-${identity.name}`)
    : 'akv-issuer'
}

function showApplication(seen: Sighting, setting: Setting): readonly string[] {
  const clientId = clientOf(seen, setting)
  return [
    `az ad sp show --id ${clientId} --query "{name:displayName, tenant:appOwnerOrganizationId}"`,
    ...showTenants(seen, setting),
  ]
}

function showTenants(_: Sighting, { location }: Setting): readonly string[] {
  const vault = location?.host.split('.')[0]
  return vault === undefined
    ? ['az account show --query tenantId --output tsv']
    : [`az keyvault show --name ${shellWord(vault)} --query properties.tenantId --output tsv`]
}

/** Whether the cluster's proxy for tokens may exchange the controller's for those of the client. */
function showBinding(seen: Sighting, setting: Setting): readonly string[] {
  return [
    'az aks identity-binding list --resource-group RESOURCE_GROUP --cluster-name CLUSTER',
    commandOf(
      `kubectl auth can-i use-managed-identity ${clientOf(seen, setting)}.cid.wi.aks.azure.com`,
      `--as system:serviceaccount:${shellWord(setting.controllerNamespace)}:akv-issuer`,
    ),
  ]
}

function reachEntra(_: Sighting, { location }: Setting): readonly string[] {
  const authority = location?.cloud.authorityHost ?? 'https://login.microsoftonline.com'
  return [`curl --head ${authority}`]
}

/** The secret goes from Entra into the cluster, and is not shown. */
function newClientSecret(seen: Sighting, setting: Setting): readonly string[] {
  const { spec, referenceNamespace } = setting
  const clientId = clientOf(seen, setting)
  const reset = `az ad app credential reset --id ${clientId} --append --query password --output tsv`
  const ref = spec?.identity?.type === 'clientSecret' ? spec.identity.secretRef : undefined
  if (ref === undefined) return [reset]
  const { name, key } = ref
  return [
    commandOf(
      `kubectl create secret generic ${shellWord(name)} --namespace ${shellWord(referenceNamespace)}`,
      `--from-literal ${shellWord(key)}="$(${reset})"`,
      '--dry-run=client --output yaml | kubectl apply --filename -',
    ),
  ]
}

function registerCertificate(seen: Sighting, setting: Setting): readonly string[] {
  const { spec, referenceNamespace } = setting
  const clientId = clientOf(seen, setting)
  const name = spec?.identity?.type === 'clientCertificate' ? spec.identity.secretName : 'SECRET'
  return [
    commandOf(
      `kubectl get secret ${shellWord(name)} --namespace ${shellWord(referenceNamespace)}`,
      `--output jsonpath='{.data.tls\\.crt}' | base64 --decode > tls.crt`,
    ),
    `az ad app credential reset --id ${clientId} --append --cert @tls.crt`,
  ]
}

function logInToTenant(_: Sighting, { tenantId }: Setting): readonly string[] {
  return [tenantId === undefined ? 'az login' : `az login --tenant ${shellWord(tenantId)}`]
}

function setUpWorkload(_: Sighting, { controllerNamespace }: Setting): readonly string[] {
  const namespace = `--namespace ${shellWord(controllerNamespace)}`
  return [
    commandOf(
      `helm upgrade akv-issuer charts/akv-issuer ${namespace} --reuse-values`,
      '--set workloadIdentity.clientId="$(az identity list --query "[?name==\'akv-issuer\'].clientId" --output tsv)"',
    ),
    `kubectl rollout restart deployment/akv-issuer ${namespace}`,
  ]
}

function allowAmbient(_: Sighting, { controllerNamespace }: Setting): readonly string[] {
  const namespace = `--namespace ${shellWord(controllerNamespace)}`
  return [
    commandOf(
      `helm upgrade akv-issuer charts/akv-issuer ${namespace} --reuse-values`,
      '--set controller.issuerAmbientIdentity=true',
    ),
  ]
}

function clientOf({ clientId }: Sighting, { spec }: Setting): string {
  const identity = spec?.identity
  return plainWord(clientId ?? identity?.clientId, 'CLIENT_ID')
}
