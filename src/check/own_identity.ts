import type { IdentitySpec } from '../api/identity.ts'
import type { IssuerKind } from '../api/names.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import { resolveIdentity } from '../issuance/issuer_identity.ts'
import { References } from '../issuance/references.ts'
import type { KubeClient } from '../kube/client.ts'
import { accountIdentity, type Identity, workloadEnvironment } from '../vault/identity.ts'

export interface OwnIdentityPlace {
  readonly kube: KubeClient
  readonly kind: IssuerKind
  readonly controllerNamespace: string
  /** Where the references of the issuer resolve. */
  readonly referenceNamespace: string
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly signal: AbortSignal
}

/**
 * Who the issuer is to Entra, out of what the kubeconfig may read: its Secret, or its ServiceAccount.
 * Where that is the controller's own identity, it is proven by tokens of the controller's account.
 *
 * @throws IssuerError that says what to do
 */
export async function ownIdentity(
  spec: IdentitySpec | undefined,
  place: OwnIdentityPlace,
): Promise<Identity> {
  const { kube, kind, controllerNamespace, referenceNamespace, now, signal } = place
  const workload = workloadEnvironment(process.env)
  if (spec?.type === 'managed') {
    throw new IssuerError(
      'IdentityUnavailable',
      'spec.identity.managed is an identity of the nodes, which nobody has elsewhere — leave out --identity issuer',
    )
  }
  if (spec?.type === 'workload') {
    const accounts = new References(kube, controllerNamespace)
    const { account, annotations } = await accounts.serviceAccount(controllerAccount, signal)
    try {
      return accountIdentity(spec, account, annotations, workload)
    } catch (thrown) {
      // The controller may know from its environment what nobody else is told.
      throw new IssuerError('IdentityUnavailable', issuerErrorFrom(thrown).message, {
        cause: thrown,
      })
    }
  }
  const deps = { workload, ambientIdentityForIssuers: true, now: () => now }
  const references = new References(kube, referenceNamespace)
  return await resolveIdentity({ kind }, spec, references, deps, signal)
}

const controllerAccount = 'akv-issuer'
