/**
 * AADSTS errors: the numbers and the words that matter come from public issues and Microsoft pages
 * (`reported`); what no source shows is `believed`.
 */

export const statusOf = {
  invalid_request: 400,
  invalid_client: 401,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_resource: 400,
  invalid_tenant: 400,
} as const
export type OAuthError = keyof typeof statusOf

export interface Trouble {
  readonly code: number
  readonly text: string
}

/** Reported. */
export function unknownTenant(tenant: string): Trouble {
  return {
    code: 90002,
    text: `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.`,
  }
}

/** Reported. */
export function unknownClient(clientId: string): Trouble {
  return {
    code: 700016,
    text: `Application with identifier '${clientId}' was not found in the directory 'dev vault'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
  }
}

/** Reported. */
export function wrongSecret(clientId: string): Trouble {
  return {
    code: 7000215,
    text: `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${clientId}'.`,
  }
}

/** Reported. */
export const noCredential: Trouble = {
  code: 7000216,
  text: "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
}

/** Reported. */
export function missingField(field: string): Trouble {
  return {
    code: 900144,
    text: `The request body must contain the following parameter: '${field}'.`,
  }
}

/** Reported. */
export function wrongScope(scope: string): Trouble {
  return {
    code: 1002012,
    text: `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  }
}

/** Reported. */
export function noResource(resource: string): Trouble {
  return {
    code: 500011,
    text: `The resource principal named ${resource} was not found in the tenant named dev vault. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.`,
  }
}

const federationAdvice =
  'Please check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation'

/** 700211 is reported word for word, the other two by code and beginning. */
export function noMatch(code: number, claim: string, seen: unknown): Trouble {
  return {
    code,
    text: `No matching federated identity record found for presented assertion ${claim} '${String(seen)}'. ${federationAdvice}`,
  }
}

/** Reported. */
export function noFederation(
  issuer: unknown,
  subject: unknown,
  audiences: readonly unknown[],
): Trouble {
  return {
    code: 70021,
    text: `No matching federated identity record found for presented assertion. Assertion Issuer: '${String(issuer)}'. Assertion Subject: '${String(subject)}'. Assertion Audience: '${String(audiences[0])}'. https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation`,
  }
}

/** Reported. */
export function outsideItsTime(nbf: unknown, exp: unknown, nowMs: number): Trouble {
  return {
    code: 700024,
    text: `Client assertion is not within its valid time range. Current time: ${new Date(nowMs).toISOString()}, assertion valid from ${timeText(nbf)}, expiry time of assertion ${timeText(exp)}. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .`,
  }
}

/** The code is reported, the words are believed. */
export const unreachableIssuer: Trouble = {
  code: 90061,
  text: 'Request to External OIDC endpoint failed.',
}

/** Believed. */
export function badSignature(kid: unknown): Trouble {
  return {
    code: 700027,
    text: `The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Key identifier: '${String(kid)}'].`,
  }
}

/** The code and its reasons are reported, the words around them believed. */
export function badClientCertificate(reason: string, thumbprint: string): Trouble {
  const bytes = Buffer.from(thumbprint, 'base64url').toString('hex').toUpperCase()
  return {
    code: 700027,
    text: `The certificate with identifier used to sign the client assertion is not registered on application. [Reason - ${reason}, Thumbprint of key used by client: '${bytes}'].`,
  }
}

/** Reported. */
export const wrongAssertionIssuer: Trouble = {
  code: 700021,
  text: "Client assertion application identifier doesn't match 'client_id' parameter.",
}

/** The code is reported, the words are believed. */
export function wrongAssertionAudience(audience: unknown): Trouble {
  return {
    code: 700023,
    text: `Client assertion audience claim does not match Realm issuer: '${String(audience)}'.`,
  }
}

/** Believed. */
export const malformedAssertion: Trouble = {
  code: 50027,
  text: 'JWT token is invalid or malformed.',
}

function timeText(seconds: unknown): string {
  return typeof seconds === 'number' ? new Date(seconds * 1000).toISOString() : 'unknown'
}
