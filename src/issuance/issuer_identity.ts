import type { IdentitySpec } from '../api/identity.ts'
import type { Issuer } from '../api/issuer.ts'
import { IssuerError } from '../error.ts'
import {
  accountIdentity,
  type Identity,
  type WorkloadEnvironment,
  workloadIdentity,
} from '../vault/identity.ts'
import type { References } from './references.ts'

export interface IdentityDeps {
  readonly workload: WorkloadEnvironment
  /** Whether a namespaced Issuer may use the controller's own identity. */
  readonly ambientIdentityForIssuers: boolean
  readonly now: () => number
}

/**
 * Who an issuer is to Entra, with what it refers to read as it is now: what was rotated is found at
 * the next probe. No token is asked for.
 *
 * @throws IssuerError that says what to do
 */
export async function resolveIdentity(
  issuer: Pick<Issuer, 'kind'>,
  spec: IdentitySpec | undefined,
  references: References,
  deps: IdentityDeps,
  signal: AbortSignal,
): Promise<Identity> {
  if (spec === undefined) {
    throw new IssuerError('SpecInvalid', 'spec.identity is missing — set exactly one member')
  }
  if (spec.type === 'clientSecret') {
    const { tenantId, clientId, secretRef } = spec
    const clientSecret = await references.secretText(secretRef, signal)
    return { type: 'clientSecret', tenantId, clientId, clientSecret }
  }
  if (spec.type === 'clientCertificate') {
    const { tenantId, clientId, secretName } = spec
    const pair = await references.clientCertificate(secretName, deps.now(), signal)
    return { type: 'clientCertificate', tenantId, clientId, ...pair }
  }
  if (spec.type === 'serviceAccount') {
    const { account, annotations } = await references.serviceAccount(spec.name, signal)
    return accountIdentity(spec, account, annotations, deps.workload)
  }
  if (issuer.kind === 'Issuer' && !deps.ambientIdentityForIssuers) throw ambient(spec.type)
  return spec.type === 'managed' ? spec : workloadIdentity(spec, deps.workload)
}

/** The refusal of what belongs to the controller to an issuer that a team made. */
function ambient(member: 'workload' | 'managed'): IssuerError {
  const whose = {
    workload: "the controller's own identity",
    managed: "an identity of the controller's node",
  }[member]
  return new IssuerError(
    'IdentityRefused',
    `spec.identity.${member} is ${whose}, which Issuers may not use here — name an identity of ` +
      'your own, as by workload.serviceAccountRef, or have the operator of the controller set ' +
      '--issuer-ambient-identity',
  )
}
