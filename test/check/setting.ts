import { parseIssuerSpec } from '../../src/api/issuer.ts'
import type { Setting } from '../../src/check/setting.ts'
import { IssuerError } from '../../src/error.ts'
import type { JsonObject } from '../../src/json.ts'
import { cloudBySuffix, parseVaultUrl } from '../../src/vault/cloud.ts'
import { now } from '../pki/make_ca.ts'

export const vaultUrl = 'https://contoso.vault.azure.net'
export const version = '0123456789abcdef0123456789abcdef'
export const clientId = '1b4e28ba-2fa1-11d2-883f-0016d3cca427'

/** A ClusterIssuer `akv-issuer` that signs with key `ca`; `spec` is laid over it. */
export function makeSetting(parts: Partial<Setting> = {}, spec: JsonObject = {}): Setting {
  const ca = { key: { name: 'ca', version }, certificate: { pem: 'PEM' } }
  const read = parseIssuerSpec({ vaultUrl, ca, ...spec }, 'ClusterIssuer')
  if (read instanceof IssuerError) throw read
  return {
    issuer: { kind: 'ClusterIssuer', namespace: '', name: 'akv-issuer' },
    stored: true,
    spec: read,
    location: parseVaultUrl(read.vaultUrl, [...cloudBySuffix.keys()]),
    assignee: undefined,
    controllerNamespace: 'akv-issuer',
    referenceNamespace: 'akv-issuer',
    tenantId: undefined,
    now,
    ...parts,
  }
}
