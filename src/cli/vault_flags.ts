import { IssuerError } from '../error.ts'
import { cloudBySuffix, parseVaultUrl, type VaultLocation } from '../vault/cloud.ts'
import { type IdentityChoice, identityChoices } from '../vault/operator_identity.ts'

/** What the commands for people and pipelines say of the vault, and of who they are. */
export interface VaultFlags {
  readonly location: VaultLocation
  readonly identity: IdentityChoice
}

export const vaultOptions = {
  vault: { type: 'string' },
  identity: { type: 'string', default: 'auto' },
} as const

export const identityHelp = `  --identity WHO          ${identityChoices.join(', ')}; default auto: AZURE_CLIENT_SECRET,
                          then AZURE_FEDERATED_TOKEN_FILE, each with AZURE_TENANT_ID and
                          AZURE_CLIENT_ID, else the account of az login
`

export const vaultHelp = `  --vault URL             as https://contoso.vault.azure.net
${identityHelp}`

/** @throws Error that names the flag and what it takes */
export function readVaultFlags(values: {
  readonly vault?: string | undefined
  readonly identity: string
}): VaultFlags {
  const identity = identityChoice(values.identity)
  return { location: location(required('--vault', values.vault)), identity }
}

/** @throws Error that names the choices */
export function identityChoice(text: string): IdentityChoice {
  const identity = identityChoices.find((choice) => choice === text)
  if (identity !== undefined) return identity
  throw new Error(`--identity: "${text}" is none of ${identityChoices.join(', ')}`)
}

/** @throws Error for a flag that is missing */
export function required(flag: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value
  throw new Error(`${flag} is missing`)
}

/** @throws Error for a name that no object of Key Vault has */
export function objectName(flag: string, value: string | undefined): string {
  const name = required(flag, value)
  if (/^[0-9a-zA-Z-]{1,127}$/.test(name)) return name
  throw new Error(`${flag}: "${name}" is no name of Key Vault: letters, digits and hyphens`)
}

/** @throws Error for what is no version of an object */
export function objectVersion(flag: string, value: string): string {
  if (/^[0-9a-f]{32}$/i.test(value)) return value.toLowerCase()
  throw new Error(`${flag}: "${value}" is no version: 32 hexadecimal digits`)
}

function location(url: string): VaultLocation {
  try {
    return parseVaultUrl(url, [...cloudBySuffix.keys()])
  } catch (error) {
    throw error instanceof IssuerError ? new Error(`--vault: ${error.message}`) : error
  }
}
