import { certManagerGroup, group, pluralByKind } from '../api/names.ts'
import { issuerErrorFrom } from '../error.ts'
import { booleanAt, isObject, objectAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { type Finding, ok, skipped, warning } from './finding.ts'
import type { IssuerName } from './stored_issuer.ts'

/** cert-manager's own approver, as its chart and its manifests name it. */
const approver = 'system:serviceaccount:cert-manager:cert-manager'

/** Whether requests for the issuer would be approved by cert-manager itself. */
export async function probeApprover(
  kube: KubeClient,
  which: IssuerName,
  signal: AbortSignal,
): Promise<Finding> {
  const signers = `${pluralByKind[which.kind]}.${group}`
  const own = which.kind === 'Issuer' ? `${which.namespace}.${which.name}` : which.name
  try {
    // As cert-manager asks: for the one signer, and for all of the kind.
    for (const name of [`${signers}/${own}`, `${signers}/*`]) {
      if (await mayApprove(kube, name, signal)) {
        return ok('approver', `cert-manager's own approver may approve requests for ${signers}`)
      }
    }
    const message =
      "cert-manager's own approver (ServiceAccount cert-manager/cert-manager) may not approve requests " +
      `for ${signers}; they wait, unless another approver decides`
    return warning('approver', message, 'ApproverMissing')
  } catch (thrown) {
    return skipped('approver', issuerErrorFrom(thrown).message)
  }
}

async function mayApprove(kube: KubeClient, name: string, signal: AbortSignal): Promise<boolean> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: approver,
      groups: [
        'system:serviceaccounts',
        'system:serviceaccounts:cert-manager',
        'system:authenticated',
      ],
      resourceAttributes: { group: certManagerGroup, resource: 'signers', verb: 'approve', name },
    },
  }
  const path = resourcePath({
    group: 'authorization.k8s.io',
    version: 'v1',
    resource: 'subjectaccessreviews',
  })
  const answer = await kube.request({ method: 'POST', path, body }, signal)
  const status = isObject(answer) ? objectAt(answer, 'status') : undefined
  return booleanAt(status, 'allowed') ?? false
}
