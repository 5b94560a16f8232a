import { signerDomain, signerNameOf } from '../api/kubernetes_csr.ts'
import { isObject, objectAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'

interface Right {
  readonly verb: string
  readonly resource: string
  readonly subresource?: string
  /** Any of them; RBAC compares names by letter, and the API server asks for both. */
  readonly names?: readonly string[]
}

const reviews = resourcePath({
  group: 'authorization.k8s.io',
  version: 'v1',
  resource: 'selfsubjectaccessreviews',
})

/**
 * What the controller may not do of what a signer takes, in words; `undefined` when it may do all.
 * Asked beforehand: a refused watch would be tried for ever, and a refused write comes after the
 * signature.
 */
export async function missingCsrRights(
  kube: KubeClient,
  issuerName: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const resource = 'certificatesigningrequests'
  const signer = signerNameOf(issuerName)
  const rights: readonly Right[] = [
    ...['get', 'list', 'watch'].map((verb) => ({ verb, resource })),
    { verb: 'patch', resource, subresource: 'status' },
    { verb: 'sign', resource: 'signers', names: [signer, `${signerDomain}/*`] },
  ]
  const granted = await Promise.all(rights.map((right) => isGranted(kube, right, signal)))
  const missing = rights.filter((_, index) => !granted[index]).map(describe)
  if (missing.length === 0) return undefined
  return `the controller may not ${missing.join(', ')}, so signer ${signer} answers nothing; kubectl apply -f config/rbac/kubernetes_csr`
}

async function isGranted(kube: KubeClient, right: Right, signal: AbortSignal): Promise<boolean> {
  const { names = [undefined], ...what } = right
  for (const name of names) {
    const resourceAttributes = { group: 'certificates.k8s.io', ...what, ...(name && { name }) }
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes },
    }
    const review = await kube.request({ method: 'POST', path: reviews, body }, signal)
    if (isObject(review) && objectAt(review, 'status')?.allowed === true) return true
  }
  return false
}

function describe({ verb, resource, subresource, names }: Right): string {
  const place = subresource === undefined ? resource : `${resource}/${subresource}`
  return names === undefined ? `${verb} ${place}` : `${verb} for ${resource} ${names.join(' or ')}`
}
