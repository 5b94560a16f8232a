import { readFile } from 'node:fs/promises'
import {
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  type TokenCredential,
} from '@azure/identity'
import { IssuerError } from '../error.ts'
import type { ClientCertificate } from './client_certificate.ts'
import type { Cloud } from './cloud.ts'
import { ManagedIdentity } from './managed_identity.ts'
import {
  type TokenProxy,
  type TokenProxyVariables,
  throughProxy,
  tokenProxy,
  tokenProxyVariables,
} from './token_proxy.ts'
import { credentialOver, straight } from './token_transport.ts'

/** Who the issuer is to Entra, with everything resolved. */
export type Identity = CompleteIdentity | AccountIdentity

/** With all that proves it. */
export type CompleteIdentity =
  | {
      readonly type: 'workload'
      readonly tenantId: string
      readonly clientId: string
      /** File with the federated ServiceAccount token; read anew as the kubelet renews it. */
      readonly tokenFile: string
      /** Asked in place of Entra, where the cluster has identity bindings. */
      readonly proxy: TokenProxy | undefined
    }
  /** Of the machine; `clientId` chooses one of several that are assigned to it. */
  | { readonly type: 'managed'; readonly clientId: string | undefined }
  | {
      readonly type: 'clientSecret'
      readonly tenantId: string
      readonly clientId: string
      readonly clientSecret: string
    }
  | ({
      readonly type: 'clientCertificate'
      readonly tenantId: string
      readonly clientId: string
    } & ClientCertificate)

/** Proven by the tokens of a ServiceAccount, which the API server makes. */
export interface AccountIdentity {
  readonly type: 'serviceAccount'
  readonly tenantId: string
  readonly clientId: string
  readonly account: FederatedAccount
}

/** A ServiceAccount as it was read; one of the same name that is made later is another. */
export interface FederatedAccount {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** What the azure-workload-identity webhook sets on a pod with `azure.workload.identity/use`. */
export interface WorkloadEnvironment {
  readonly tenantId: string | undefined
  readonly clientId: string | undefined
  readonly tokenFile: string | undefined
  readonly proxy: TokenProxyVariables
}

export function workloadEnvironment(env: NodeJS.ProcessEnv): WorkloadEnvironment {
  return {
    tenantId: env.AZURE_TENANT_ID,
    clientId: env.AZURE_CLIENT_ID,
    tokenFile: env.AZURE_FEDERATED_TOKEN_FILE,
    proxy: tokenProxyVariables(env),
  }
}

/**
 * The controller's own federated identity, with what the issuer's spec says taking precedence.
 *
 * @throws IssuerError `IdentityRefused` when something is said by neither, or cannot be meant
 */
export function workloadIdentity(
  spec: { readonly tenantId: string | undefined; readonly clientId: string | undefined },
  environment: WorkloadEnvironment,
): CompleteIdentity {
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
  return { type: 'workload', tenantId, clientId, tokenFile, proxy: tokenProxy(environment.proxy) }
}

/**
 * Who a ServiceAccount is: what the issuer's spec says, else the annotations that the
 * azure-workload-identity webhook reads. Never the controller's client; its tenant is the last guess.
 *
 * @throws IssuerError `IdentityRefused` when something is said by none
 */
export function accountIdentity(
  spec: { readonly tenantId: string | undefined; readonly clientId: string | undefined },
  account: FederatedAccount,
  annotations: Readonly<Record<string, string>>,
  environment: WorkloadEnvironment,
): AccountIdentity {
  const clientId = spec.clientId ?? annotations[`${annotationPrefix}client-id`]
  const tenantId =
    spec.tenantId ?? annotations[`${annotationPrefix}tenant-id`] ?? environment.tenantId
  if (clientId && tenantId) return { type: 'serviceAccount', tenantId, clientId, account }
  const [field, annotation] = clientId ? ['tenantId', 'tenant-id'] : ['clientId', 'client-id']
  throw new IssuerError(
    'IdentityRefused',
    `ServiceAccount "${account.name}" in namespace "${account.namespace}" is given no ${field} — ` +
      `annotate it with ${annotationPrefix}${annotation}, or set spec.identity.workload.${field}`,
  )
}

const annotationPrefix = 'azure.workload.identity/'

/**
 * The credential for an identity. Its retries are few: the work queue retries.
 *
 * @throws IssuerError `IdentityRefused` for a tenantId that can be none
 */
export function credentialOf(identity: CompleteIdentity, cloud: Cloud): TokenCredential {
  if (identity.type === 'managed') return new ManagedIdentity(identity.clientId)
  const { tenantId, clientId } = identity
  const options = optionsOf(tenantId, cloud)
  if (identity.type === 'clientSecret') {
    const { clientSecret } = identity
    return credentialOver(
      straight,
      options,
      (all) => new ClientSecretCredential(tenantId, clientId, clientSecret, all),
    )
  }
  if (identity.type === 'clientCertificate') {
    const certificate = identity.privateKey + identity.certificate
    return credentialOver(
      straight,
      options,
      (all) => new ClientCertificateCredential(tenantId, clientId, { certificate }, all),
    )
  }
  // Not WorkloadIdentityCredential: it holds what it read for 5 minutes, an expired token too.
  const assertion = async () => (await readFile(identity.tokenFile, 'utf8')).trim()
  const transport = identity.proxy === undefined ? straight : throughProxy(identity.proxy, clientId)
  return credentialOver(
    transport,
    options,
    (all) => new ClientAssertionCredential(tenantId, clientId, assertion, all),
  )
}

/**
 * The same for an identity that the tokens of a ServiceAccount prove.
 *
 * @param token of the account, for the audience that Entra asks for; asked for again and again
 * @throws IssuerError `IdentityRefused` for a tenantId that can be none
 */
export function accountCredential(
  { tenantId, clientId, account }: AccountIdentity,
  cloud: Cloud,
  token: (account: FederatedAccount, signal: AbortSignal) => Promise<string>,
): TokenCredential {
  const assertion = () => token(account, AbortSignal.timeout(assertionTimeout))
  const options = optionsOf(tenantId, cloud)
  return credentialOver(
    straight,
    options,
    (all) => new ClientAssertionCredential(tenantId, clientId, assertion, all),
  )
}

/** Milliseconds. */
const assertionTimeout = 20_000

function optionsOf(tenantId: string, cloud: Cloud) {
  // The SDK would throw an error of its own here.
  if (!/^[0-9a-zA-Z.-]+$/.test(tenantId)) {
    throw new IssuerError(
      'IdentityRefused',
      `tenantId "${tenantId}" is neither a GUID nor a domain — copy the "Tenant ID" of the ` +
        'directory that the vault belongs to',
    )
  }
  return {
    authorityHost: cloud.authorityHost,
    // The authority comes from our table of clouds; asking a public host about it would leave the
    // network of a sovereign or closed cloud.
    disableInstanceDiscovery: true,
    retryOptions: { maxRetries: 1 },
  }
}
