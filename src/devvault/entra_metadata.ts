/** What msal asks for before the first token. */
import { type Cloud, cloudOf, clouds } from './clouds.ts'

/** All clouds, as msal's own list has them: the Entra of each knows the others. */
export function instances(host: string, tenantId: string): unknown {
  return {
    tenant_discovery_endpoint: `https://${host}/${tenantId}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: clouds.map(({ authorityHost, aliases, preferredHost, cacheHost }) => ({
      preferred_network: preferredHost,
      preferred_cache: cacheHost,
      aliases: [authorityHost, ...aliases],
    })),
  }
}

/** Endpoints have the name that the cloud prefers, whatever alias was asked (reported of China). */
export function metadata(cloud: Cloud, host: string, tenant: string): unknown {
  const isAzure = cloudOf(host) !== undefined
  const base = `https://${isAzure ? cloud.preferredHost : host}/${tenant}`
  return {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: [
      'client_secret_post',
      'private_key_jwt',
      'client_secret_basic',
    ],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${base}/v2.0`,
    request_uri_parameter_supported: false,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    tenant_region_scope: 'NA',
    cloud_instance_name: cloud.instanceName,
  }
}
