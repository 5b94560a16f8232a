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
  | ({
      readonly type: 'clientCertificate'
      readonly tenantId: string
      readonly clientId: string
    } & ClientCertificate)

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
  if (identity.type === 'clientCertificate') {
    const certificate = identity.privateKey + identity.certificate
    return new ClientCertificateCredential(tenantId, clientId, { certificate }, options)
  }
  // Not WorkloadIdentityCredential: it holds what it read for 5 minutes, an expired token too.
  const assertion = async () => (await readFile(identity.tokenFile, 'utf8')).trim()
  return new ClientAssertionCredential(tenantId, clientId, assertion, options)
}
