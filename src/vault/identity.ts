import { readFile } from 'node:fs/promises'
import {
  ClientAssertionCredential,
  ClientSecretCredential,
  type TokenCredential,
} from '@azure/identity'
import { IssuerError } from '../error.ts'
import type { Cloud } from './cloud.ts'
import { firstLine, systemCode } from './failure.ts'
import type { TokenHolder } from './token_source.ts'

/** Who the issuer is to Entra, with everything resolved. */
export type Identity =
  | {
      readonly type: 'workload'
      readonly tenantId: string
      readonly clientId: string
      /** File with the federated ServiceAccount token; read anew as the kubelet renews it. */
      readonly tokenFile: string
    }
  | {
      readonly type: 'clientSecret'
      readonly tenantId: string
      readonly clientId: string
      readonly clientSecret: string
    }

/** What the azure-workload-identity webhook sets on a pod with `azure.workload.identity/use`. */
export interface WorkloadEnvironment {
  readonly tenantId: string | undefined
  readonly clientId: string | undefined
  readonly tokenFile: string | undefined
}

export function workloadEnvironment(env: NodeJS.ProcessEnv): WorkloadEnvironment {
  return {
    tenantId: env.AZURE_TENANT_ID,
    clientId: env.AZURE_CLIENT_ID,
    tokenFile: env.AZURE_FEDERATED_TOKEN_FILE,
  }
}

/**
 * The controller's own federated identity, with what the issuer's spec says taking precedence.
 *
 * @throws IssuerError `IdentityRefused` when something is said by neither
 */
export function workloadIdentity(
  spec: { readonly tenantId: string | undefined; readonly clientId: string | undefined },
  environment: WorkloadEnvironment,
): Identity {
  const tenantId = spec.tenantId ?? environment.tenantId
  const clientId = spec.clientId ?? environment.clientId
  const { tokenFile } = environment
  if (tokenFile === undefined) {
    throw new IssuerError(
      'IdentityRefused',
      'workload identity is not set up for the controller: AZURE_FEDERATED_TOKEN_FILE is not set — ' +
        'label its pods azure.workload.identity/use: "true" and check that the ' +
        'azure-workload-identity webhook runs',
    )
  }
  if (clientId === undefined || tenantId === undefined) {
    const missing = clientId === undefined ? 'clientId' : 'tenantId'
    throw new IssuerError(
      'IdentityRefused',
      `workload identity has no ${missing} — set spec.identity.workload.${missing}, or annotate the ` +
        "controller's ServiceAccount with azure.workload.identity/client-id",
    )
  }
  return { type: 'workload', tenantId, clientId, tokenFile }
}

/**
 * The Azure SDK's credential for an identity. Its retries are few: the work queue retries.
 *
 * @throws IssuerError `IdentityRefused` for a tenantId that can be none
 */
export function credentialOf(identity: Identity, cloud: Cloud): TokenCredential {
  // The SDK would throw an error of its own here.
  if (!/^[0-9a-zA-Z.-]+$/.test(identity.tenantId)) {
    throw new IssuerError(
      'IdentityRefused',
      `tenantId "${identity.tenantId}" is neither a GUID nor a domain — copy the "Tenant ID" of the ` +
        'directory that the vault belongs to',
    )
  }
  const options = {
    authorityHost: cloud.authorityHost,
    // The authority comes from our table of clouds; asking a public host about it would leave the
    // network of a sovereign or closed cloud.
    disableInstanceDiscovery: true,
    retryOptions: { maxRetries: 1 },
  }
  const { tenantId, clientId } = identity
  if (identity.type === 'clientSecret') {
    return new ClientSecretCredential(tenantId, clientId, identity.clientSecret, options)
  }
  // Not WorkloadIdentityCredential: it holds what it read for 5 minutes, an expired token too.
  const assertion = async () => (await readFile(identity.tokenFile, 'utf8')).trim()
  return new ClientAssertionCredential(tenantId, clientId, assertion, options)
}

/** What Entra's error codes mean and what helps; anything else is passed on in Entra's words. */
const adviceByAadsts: ReadonlyMap<string, string> = new Map([
  ['70021', 'add a federated credential for the issuer and subject of the ServiceAccount token'],
  ['700211', 'add a federated credential whose issuer is the OIDC issuer URL of the cluster'],
  ['700212', 'set the audience of the federated credential to api://AzureADTokenExchange'],
  ['700213', 'add a federated credential whose subject is system:serviceaccount:<ns>:<name>'],
  ['700024', 'the ServiceAccount token is outside its time: check the clocks'],
  ['700027', 'the certificate or its signature is not the one registered for the client'],
  ['7000215', 'the client secret is wrong: put its value (not its id) into the Secret'],
  ['7000222', 'the client secret has expired: make a new one and put it into the Secret'],
  ['700016', 'the tenant has no application with this clientId: check clientId and tenantId'],
  ['90002', 'there is no such tenant: check tenantId'],
  ['90061', "Entra cannot reach the cluster's OIDC issuer: check that it is public"],
  ['900023', 'tenantId is neither a GUID nor a domain: check it'],
])

/** The identity as one who holds tokens. */
export function holderOf(identity: Identity): TokenHolder {
  return {
    who: `client ${identity.clientId}`,
    failure: (thrown) => identityFailure(identity, thrown),
  }
}

/** The error for a token that was not had. */
export function identityFailure(identity: Identity, thrown: unknown): IssuerError {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const who = `a token for client ${identity.clientId} in tenant ${identity.tenantId}`
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
  return new IssuerError(
    'IdentityUnavailable',
    `could not get ${who}: ${system ?? firstLine(text)} — check the way from the cluster to Entra; ` +
      'tried again',
    { cause: thrown },
  )
}
