import { IssuerError } from '../error.ts'
import { firstLine, systemCode } from './failure.ts'
import type { Identity } from './identity.ts'
import { managedName } from './managed_identity.ts'
import type { TokenHolder } from './token_source.ts'

/** The identity as one who holds tokens. */
export function holderOf(identity: Identity): TokenHolder {
  return {
    who:
      identity.type === 'managed' ? managedName(identity.clientId) : `client ${identity.clientId}`,
    failure: (thrown) => identityFailure(identity, thrown),
  }
}

/** The error for a token that was not had. */
export function identityFailure(identity: Identity, thrown: unknown): IssuerError {
  const told = issuerErrorIn(thrown)
  if (told !== undefined) return told
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const who =
    identity.type === 'managed'
      ? `a token for ${managedName(identity.clientId)}`
      : `a token for client ${identity.clientId} in tenant ${identity.tenantId}`
  const code = /AADSTS(\d+)/.exec(text)?.[1]
  if (code !== undefined) {
    const advice =
      adviceByAadsts.get(code) ?? 'look the code up at https://login.microsoftonline.com/error'
    return new IssuerError('IdentityRefused', `Entra refused ${who}: AADSTS${code} — ${advice}`, {
      cause: thrown,
    })
  }
  const system = systemCode(thrown)
  if (system === 'ENOENT' && identity.type === 'workload') {
    return new IssuerError(
      'IdentityRefused',
      `cannot read the ServiceAccount token ${identity.tokenFile} — check that the controller's ` +
        'pod was changed by the azure-workload-identity webhook',
      { cause: thrown },
    )
  }
  if (/tenant/i.test(text) && /invalid/i.test(text)) {
    return new IssuerError(
      'IdentityRefused',
      `Entra refused ${who}: there is no such tenant — check tenantId`,
      {
        cause: thrown,
      },
    )
  }
  const way =
    identity.type === 'workload' && identity.proxy !== undefined
      ? `the identity binding of the client, and the token proxy ${identity.proxy.url}`
      : 'the way from the cluster to Entra'
  return new IssuerError(
    'IdentityUnavailable',
    `could not get ${who}: ${system ?? firstLine(text)} — check ${way}; tried again`,
    { cause: thrown },
  )
}

/** What an assertion failed with: the SDK may wrap it. */
function issuerErrorIn(thrown: unknown): IssuerError | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; depth++) {
    if (error instanceof IssuerError) return error
    error = error.cause
  }
  return undefined
}

/** What Entra's error codes mean and what helps; anything else is passed on in Entra's words. */
const adviceByAadsts: ReadonlyMap<string, string> = new Map([
  ['70021', 'add a federated credential for the issuer and subject of the ServiceAccount token'],
  ['700211', 'add a federated credential whose issuer is the OIDC issuer URL of the cluster'],
  ['700212', 'set the audience of the federated credential to api://AzureADTokenExchange'],
  ['700213', 'add a federated credential whose subject is system:serviceaccount:<ns>:<name>'],
  ['700024', 'the ServiceAccount token is outside its time: check the clocks'],
  [
    '700027',
    'the certificate is not registered for the client: add it to the application under ' +
      '"Certificates & secrets", or put the registered one into the Secret',
  ],
  ['7000215', 'the client secret is wrong: put its value (not its id) into the Secret'],
  ['7000222', 'the client secret has expired: make a new one and put it into the Secret'],
  ['700016', 'the tenant has no application with this clientId: check clientId and tenantId'],
  ['90002', 'there is no such tenant: check tenantId'],
  ['90061', "Entra cannot reach the cluster's OIDC issuer: check that it is public"],
  ['900023', 'tenantId is neither a GUID nor a domain: check it'],
])
