import { group, pluralByKind } from '../api/names.ts'
import type { Remedy, Setting } from './setting.ts'
import { commandOf, shellWord } from './shell.ts'
import type { Sighting } from './sighting.ts'

/** What is wrong with the issuer, with what it refers to, and with what runs in the cluster. */
export const clusterRemedies: ReadonlyMap<string, Remedy> = new Map<string, Remedy>([
  ['IssuerNotFound', listIssuers],
  ['IssuerSuspended', resume],
  ['SpecInvalid', editIssuer],
  ['CertificateInvalid', editIssuer],
  ['ReferenceInvalid', editIssuer],
  ['ReferenceNotFound', createReferred],
  ['KubeForbidden', letControllerRead],
  ['KubeInvalid', explainSpec],
  ['KubeUnavailable', () => ['kubectl config get-contexts', 'kubectl get --raw /readyz']],
  ['KubeUnauthorized', () => ['kubectl auth whoami']],
  ['CrdMissing', installCrds],
  ['CrdOutdated', installCrds],
  ['LeaseNotFound', showController],
  ['LeaseNotHeld', showController],
  ['NotProbed', showController],
  ['ApproverMissing', letApprove],
])

/** As kubectl names the kind and no other: cert-manager's are called the same. */
function resourceOf({ issuer }: Setting): string {
  return `${pluralByKind[issuer.kind]}.${group}`
}

function whichIssuer(setting: Setting): string {
  const { kind, namespace, name } = setting.issuer
  const place = kind === 'Issuer' ? ` --namespace ${shellWord(namespace)}` : ''
  return `${resourceOf(setting)} ${shellWord(name)}${place}`
}

function listIssuers(_: Sighting, setting: Setting): readonly string[] {
  const everywhere = setting.issuer.kind === 'Issuer' ? ' --all-namespaces' : ''
  return [`kubectl get ${resourceOf(setting)}${everywhere}`]
}

function resume(_: Sighting, setting: Setting): readonly string[] {
  return [`kubectl patch ${whichIssuer(setting)} --type merge --patch '{"spec":{"suspend":false}}'`]
}

/** A file is edited by whoever wrote it. */
function editIssuer(_: Sighting, setting: Setting): readonly string[] {
  return setting.stored ? [`kubectl edit ${whichIssuer(setting)}`] : []
}

function explainSpec(_: Sighting, setting: Setting): readonly string[] {
  return [`kubectl explain ${resourceOf(setting)}.spec --recursive`]
}

function createReferred({ reference }: Sighting): readonly string[] {
  if (reference === undefined) return []
  const place = `--namespace ${shellWord(reference.namespace)}`
  const name = shellWord(reference.name)
  if (reference.kind === 'ServiceAccount') return [`kubectl create serviceaccount ${name} ${place}`]
  if (reference.kind === 'ConfigMap') {
    const key = shellWord(reference.key ?? 'KEY')
    return [`kubectl create configmap ${name} ${place} --from-file ${key}=FILE`]
  }
  return reference.key === undefined
    ? [`kubectl create secret tls ${name} ${place} --cert FILE --key FILE`]
    : [
        `kubectl create secret generic ${name} ${place} --from-file ${shellWord(reference.key)}=FILE`,
      ]
}

/** The rights of config/rbac: on what an Issuer refers to, or on one ServiceAccount. */
function letControllerRead({ reference }: Sighting, setting: Setting): readonly string[] {
  if (reference === undefined) return ['kubectl auth whoami']
  const place = `--namespace ${shellWord(reference.namespace)}`
  const account = `--serviceaccount ${shellWord(`${setting.controllerNamespace}:akv-issuer`)}`
  if (reference.kind !== 'ServiceAccount') {
    const name = 'akv-issuer-issuer-references'
    return [
      commandOf(`kubectl create rolebinding ${name} ${place}`, `--clusterrole ${name} ${account}`),
    ]
  }
  const name = shellWord(reference.name)
  const rights = [
    [`akv-issuer-get-${reference.name}`, 'get', 'serviceaccounts'],
    [`akv-issuer-token-${reference.name}`, 'create', 'serviceaccounts/token'],
  ] as const
  return rights.flatMap(([given, verb, resource]) => {
    const role = shellWord(given)
    return [
      commandOf(
        `kubectl create role ${role} ${place}`,
        `--verb ${verb} --resource ${resource} --resource-name ${name}`,
      ),
      `kubectl create rolebinding ${role} ${place} --role ${role} ${account}`,
    ]
  })
}

function installCrds(): readonly string[] {
  return ['kubectl apply --server-side --filename config/crd']
}

function showController(_: Sighting, { controllerNamespace }: Setting): readonly string[] {
  const place = `--namespace ${shellWord(controllerNamespace)}`
  return [
    `kubectl get pods ${place} --selector app.kubernetes.io/name=akv-issuer`,
    `kubectl logs ${place} deployment/akv-issuer --tail 20`,
  ]
}

function letApprove(): readonly string[] {
  return ['kubectl apply --server-side --filename config/rbac/approver.yaml']
}
