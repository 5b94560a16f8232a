import type { IdentitySpec } from '../api/identity.ts'
import type { Issuer } from '../api/issuer.ts'
import { IssuerError } from '../error.ts'
import { type Identity, type WorkloadEnvironment, workloadIdentity } from '../vault/identity.ts'
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
  issuer: Issuer,
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
  if (issuer.kind === 'Issuer' && !deps.ambientIdentityForIssuers) {
    throw new IssuerError(
      'IdentityRefused',
      "spec.identity.workload is the controller's own identity, which Issuers may not use here — " +
        'set another member of spec.identity, or have the operator of the controller set ' +
        '--issuer-ambient-identity',
    )
  }
  return workloadIdentity(spec, deps.workload)
}
