import { IssuerError } from '../error.ts'

/** An Azure cloud as seen from a vault's host name. */
export interface Cloud {
  readonly authorityHost: string
  /** OAuth scope of a token for the vault. */
  readonly scope: string
}

/** A vault that tokens may be sent to. */
export interface VaultLocation {
  /** `https://host`, lower case, no slash at the end. */
  readonly url: string
  readonly host: string
  readonly cloud: Cloud
  /** Keys only, with roles of its own. */
  readonly isManagedHsm: boolean
}

const publicAuthority = 'https://login.microsoftonline.com'
/** Its older name, login.chinacloudapi.cn, only sends clients on to this one. */
const chinaAuthority = 'https://login.partner.microsoftonline.cn'
const governmentAuthority = 'https://login.microsoftonline.us'

/**
 * The clouds by the suffix of a vault's host. Authority and scope follow from the suffix and never
 * from an issuer's spec: a URL that a user sets must not draw a token elsewhere.
 */
export const cloudBySuffix: ReadonlyMap<string, Cloud> = new Map([
  ['.vault.azure.net', cloud(publicAuthority, 'vault.azure.net')],
  ['.managedhsm.azure.net', cloud(publicAuthority, 'managedhsm.azure.net')],
  ['.vault.azure.cn', cloud(chinaAuthority, 'vault.azure.cn')],
  ['.managedhsm.azure.cn', cloud(chinaAuthority, 'managedhsm.azure.cn')],
  ['.vault.usgovcloudapi.net', cloud(governmentAuthority, 'vault.usgovcloudapi.net')],
  ['.managedhsm.usgovcloudapi.net', cloud(governmentAuthority, 'managedhsm.usgovcloudapi.net')],
])

/** A vault's name: 3-24 characters, a letter first, no hyphen at an end (Key Vault's naming rule). */
const vaultName = /^[a-z](?:[a-z0-9-]{1,22}[a-z0-9])$/

/**
 * Reads `spec.vaultUrl`.
 *
 * @param allowedSuffixes the controller's `--vault-host-suffixes`, each a key of `cloudBySuffix`
 * @throws IssuerError `VaultHostNotAllowed`
 */
export function parseVaultUrl(text: string, allowedSuffixes: readonly string[]): VaultLocation {
  const url = URL.parse(text)
  const plain =
    url?.protocol === 'https:' && text.toLowerCase().replace(/\/$/, '') === `https://${url.host}`
  if (!plain || url.port !== '') {
    throw new IssuerError(
      'VaultHostNotAllowed',
      `vaultUrl "${text}" is not of the form https://<vault>.vault.azure.net (https and host only)`,
    )
  }
  const suffix = allowedSuffixes.find((candidate) => url.hostname.endsWith(candidate))
  const known = suffix === undefined ? undefined : cloudBySuffix.get(suffix)
  if (suffix === undefined || known === undefined) {
    throw new IssuerError(
      'VaultHostNotAllowed',
      `vaultUrl host "${url.hostname}" does not end in one of the allowed suffixes ` +
        `${allowedSuffixes.join(', ')}; correct vaultUrl, or have the operator of the controller ` +
        'extend --vault-host-suffixes',
    )
  }
  const name = url.hostname.slice(0, -suffix.length)
  if (!vaultName.test(name)) {
    throw new IssuerError(
      'VaultHostNotAllowed',
      `vaultUrl host "${url.hostname}" does not begin with the name of a vault ` +
        '(3 to 24 letters, digits and hyphens); copy the "Vault URI" of the vault',
    )
  }
  return {
    url: `https://${url.hostname}`,
    host: url.hostname,
    cloud: known,
    isManagedHsm: suffix.startsWith('.managedhsm.'),
  }
}

function cloud(authorityHost: string, resource: string): Cloud {
  return { authorityHost, scope: `https://${resource}/.default` }
}
