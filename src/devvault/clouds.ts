import { IssuerError } from '../error.ts'

/** An Azure cloud, as far as Entra differs in it. */
export interface Cloud {
  /** What challenges of its vaults and its own metadata name. */
  readonly authorityHost: string
  /** Other names of the same Entra. */
  readonly aliases: readonly string[]
  /** The name that clients are told to ask, and the one to keep tokens under. */
  readonly preferredHost: string
  readonly cacheHost: string
  /** Name in its metadata. */
  readonly instanceName: string
  /** In front of the tenant in tokens of version 1.0. */
  readonly tokenIssuer: string
}

/** A kind of vault in one cloud. */
export interface VaultKind {
  /** Of host names. */
  readonly suffix: string
  /** Audience of the tokens that it takes, and of no other. */
  readonly resource: string
  readonly cloud: Cloud
  /** Keys only, with rights and answers of its own. */
  readonly isManagedHsm: boolean
}

export const publicCloud: Cloud = {
  authorityHost: 'login.microsoftonline.com',
  aliases: ['login.windows.net', 'login.microsoft.com', 'sts.windows.net'],
  preferredHost: 'login.microsoftonline.com',
  cacheHost: 'login.windows.net',
  instanceName: 'microsoftonline.com',
  tokenIssuer: 'https://sts.windows.net',
}

const chinaCloud: Cloud = {
  authorityHost: 'login.chinacloudapi.cn',
  aliases: ['login.partner.microsoftonline.cn'],
  preferredHost: 'login.partner.microsoftonline.cn',
  cacheHost: 'login.partner.microsoftonline.cn',
  instanceName: 'partner.microsoftonline.cn',
  tokenIssuer: 'https://sts.chinacloudapi.cn',
}

const governmentCloud: Cloud = {
  authorityHost: 'login.microsoftonline.us',
  aliases: ['login.usgovcloudapi.net'],
  preferredHost: 'login.microsoftonline.us',
  cacheHost: 'login.microsoftonline.us',
  instanceName: 'microsoftonline.us',
  tokenIssuer: 'https://sts.windows.net',
}

export const clouds: readonly Cloud[] = [publicCloud, chinaCloud, governmentCloud]

const publicVault = vault('vault.azure.net', publicCloud)

export const vaultKinds: readonly VaultKind[] = [
  publicVault,
  vault('managedhsm.azure.net', publicCloud),
  vault('vault.azure.cn', chinaCloud),
  vault('managedhsm.azure.cn', chinaCloud),
  vault('vault.usgovcloudapi.net', governmentCloud),
  vault('managedhsm.usgovcloudapi.net', governmentCloud),
]

/** Host of a vault by its name: outside the public cloud's Key Vault the name is the host. */
export function hostOf(name: string): string {
  const lower = name.toLowerCase()
  return lower.includes('.') ? lower : `${lower}${publicVault.suffix}`
}

/** Name of a vault by its host. */
export function vaultNameOf(host: string): string {
  const { suffix } = publicVault
  return host.endsWith(suffix) ? host.slice(0, -suffix.length) : host
}

/** @throws IssuerError `SpecInvalid` for a host that no cloud has */
export function vaultKindNamed(name: string): VaultKind {
  const kind = vaultKindOf(hostOf(name))
  if (kind !== undefined) return kind
  const known = vaultKinds.map(({ suffix }) => suffix).join(', ')
  throw new IssuerError(
    'SpecInvalid',
    `"${name}" is no vault: expected a name, or a host that ends in one of ${known}`,
  )
}

/** What is at a host; `undefined` when no vault can be there. */
export function vaultKindOf(host: string): VaultKind | undefined {
  return vaultKinds.find(({ suffix }) => host.endsWith(suffix))
}

/** The cloud whose Entra has this host. */
export function cloudOf(host: string): Cloud | undefined {
  return clouds.find(
    ({ authorityHost, aliases }) => host === authorityHost || aliases.includes(host),
  )
}

function vault(domain: string, cloud: Cloud): VaultKind {
  const isManagedHsm = domain.startsWith('managedhsm.')
  return { suffix: `.${domain}`, resource: `https://${domain}`, cloud, isManagedHsm }
}
