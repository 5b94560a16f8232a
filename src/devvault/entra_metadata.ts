/** What msal asks for before the first token. */
export const authorityHost = 'login.microsoftonline.com'

export function instances(tenantId: string): unknown {
  const aliases = [authorityHost, 'login.windows.net', 'login.microsoft.com', 'sts.windows.net']
  return {
    tenant_discovery_endpoint: `https://${authorityHost}/${tenantId}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: authorityHost, preferred_cache: 'login.windows.net', aliases }],
  }
}

export function metadata(origin: string, tenant: string): unknown {
  const base = `${origin}/${tenant}`
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
    cloud_instance_name: 'microsoftonline.com',
  }
}
