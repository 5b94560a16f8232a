import { parseArgs } from 'node:util'
import { type ImposedConstraints, parseImposedConstraints } from '../pki/imposed_constraints.ts'
import { parseNameText } from '../pki/name_write.ts'
import type { Parsed } from '../pki/refusal.ts'
import { type KeyKind, keyKinds, type Protection } from '../vault/key_keeper.ts'
import { type ParsedFlags, parsedFlags } from './parsed_flags.ts'
import { count } from './run_flags.ts'
import {
  objectName,
  objectVersion,
  readVaultFlags,
  required,
  type VaultFlags,
  vaultHelp,
  vaultOptions,
} from './vault_flags.ts'

/** What each of the commands takes. */
export interface CaFlags extends VaultFlags {
  /** Of the key, and of the secret with the certificate. */
  readonly name: string
  /** The latest one when absent. */
  readonly keyVersion: string | undefined
  /** A file for the record of the ceremony. */
  readonly record: string | undefined
  readonly dryRun: boolean
}

/** What a new CA is to be. */
export interface CaShape {
  /** Name, DER. */
  readonly subject: Uint8Array
  readonly kind: KeyKind
  readonly protection: Protection
  readonly pathLength: number | undefined
  readonly nameConstraints: ImposedConstraints | undefined
}

export interface CaInitFlags extends CaFlags, CaShape {
  readonly years: number
}

export interface CaCsrFlags extends CaFlags, CaShape {
  /** Standard output when absent. */
  readonly output: string | undefined
}

export interface CaInstallFlags extends CaFlags {
  readonly certificateFile: string
  readonly chainFile: string | undefined
  readonly replace: boolean
}

export interface CaShowFlags extends CaFlags {
  readonly json: boolean
}

const common = `${vaultHelp}  --name NAME             of the key, and of the secret that keeps the certificate
  --key-version VERSION   default: the latest
`

const recorded = `  --record FILE           a record of the ceremony, JSON; what is there is not overwritten
  --dry-run               change nothing; say what would be done
`

const shape = `  --subject NAME          as "CN=Contoso Root,O=Contoso,C=DE"
  --key-type TYPE         ${keyKinds.join(', ')}; default P-384
  --protection WHERE      hsm (a premium vault) or software; default hsm
  --permit KIND:NAME      name constraint, repeatable: dns:example.com, uri:cluster.local,
  --exclude KIND:NAME     email:example.com, ip:10.0.0.0/8
`

export const caInitHelp = `akv-issuer ca init: makes a root CA whose key is made in the vault and never leaves it.

${common}${shape}  --path-length N         CAs that may stand below one another, or none for no limit; default none
  --years N               of validity, 1 to 30; default 10
${recorded}
Run again after an interruption, it goes on where it stopped and makes no second key. Prints the part
of an issuer's spec to paste.
`

export const caCsrHelp = `akv-issuer ca csr: makes a key in the vault, and a request for the certificate of a CA with it.

${common}${shape}  --path-length N         CAs that may stand below, or none; default 1, room for istiod's
  --output FILE           default: standard output
${recorded}
Run again, it takes the same key.
`

export const caInstallHelp = `akv-issuer ca install: checks the certificate that another CA made for the key, and keeps it.

${common}  --certificate FILE      PEM, of the CA; those above it may stand there too
  --chain FILE            PEM, of the CAs above it up to the root
  --replace               in the place of another certificate; issuers keep the one they name
${recorded}
Prints the part of an issuer's spec to paste.
`

export const caShowHelp = `akv-issuer ca show: what a CA is: key, certificate, chain, and what is wrong with them.

${common}  --json

Exit code 1 when something is wrong.
`

const commonOptions = {
  ...vaultOptions,
  name: { type: 'string' },
  'key-version': { type: 'string' },
  record: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
} as const

const shapeOptions = {
  subject: { type: 'string' },
  'key-type': { type: 'string', default: 'P-384' },
  protection: { type: 'string', default: 'hsm' },
  'path-length': { type: 'string' },
  permit: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
} as const

export function parseCaInitFlags(args: readonly string[]): ParsedFlags<CaInitFlags> {
  return parsedFlags('ca init', () => {
    const years = { type: 'string', default: '10' } as const
    const options = { ...commonOptions, ...shapeOptions, years }
    const { values } = parseArgs({ args: [...args], options })
    return {
      ...readCommon(values),
      ...readShape(values, 'none'),
      years: count('--years', values.years, 1, 30),
    }
  })
}

export function parseCaCsrFlags(args: readonly string[]): ParsedFlags<CaCsrFlags> {
  return parsedFlags('ca csr', () => {
    const options = { ...commonOptions, ...shapeOptions, output: { type: 'string' } } as const
    const { values } = parseArgs({ args: [...args], options })
    return { ...readCommon(values), ...readShape(values, '1'), output: values.output }
  })
}

export function parseCaInstallFlags(args: readonly string[]): ParsedFlags<CaInstallFlags> {
  return parsedFlags('ca install', () => {
    const options = {
      ...commonOptions,
      certificate: { type: 'string' },
      chain: { type: 'string' },
      replace: { type: 'boolean', default: false },
    } as const
    const { values } = parseArgs({ args: [...args], options })
    return {
      ...readCommon(values),
      certificateFile: required('--certificate', values.certificate),
      chainFile: values.chain,
      replace: values.replace,
    }
  })
}

export function parseCaShowFlags(args: readonly string[]): ParsedFlags<CaShowFlags> {
  return parsedFlags('ca show', () => {
    const { record: _, 'dry-run': __, ...shared } = commonOptions
    const options = { ...shared, json: { type: 'boolean', default: false } } as const
    const { values } = parseArgs({ args: [...args], options })
    return { ...readCommon({ ...values, 'dry-run': true }), json: values.json }
  })
}

interface CommonValues {
  readonly vault?: string | undefined
  readonly identity: string
  readonly name?: string | undefined
  readonly 'key-version'?: string | undefined
  readonly record?: string | undefined
  readonly 'dry-run': boolean
}

function readCommon(values: CommonValues): CaFlags {
  const vault = readVaultFlags(values)
  if (vault.location.isManagedHsm) {
    throw new Error(
      '--vault: a Managed HSM keeps no secrets, and so no certificate; name a vault (a premium one has HSM keys)',
    )
  }
  const keyVersion = values['key-version']
  return {
    ...vault,
    name: objectName('--name', values.name),
    keyVersion: keyVersion === undefined ? undefined : objectVersion('--key-version', keyVersion),
    record: values.record,
    dryRun: values['dry-run'],
  }
}

interface ShapeValues {
  readonly subject?: string | undefined
  readonly 'key-type': string
  readonly protection: string
  readonly 'path-length'?: string | undefined
  readonly permit?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
}

function readShape(values: ShapeValues, defaultPathLength: string): CaShape {
  const pathLength = values['path-length'] ?? defaultPathLength
  return {
    subject: value('--subject', parseNameText(required('--subject', values.subject))),
    kind: oneOf('--key-type', keyKinds, values['key-type']),
    protection: oneOf('--protection', ['hsm', 'software'], values.protection),
    pathLength: pathLength === 'none' ? undefined : count('--path-length', pathLength, 0, 10),
    nameConstraints: readConstraints(values.permit ?? [], values.exclude ?? []),
  }
}

function readConstraints(
  permit: readonly string[],
  exclude: readonly string[],
): ImposedConstraints | undefined {
  if (permit.length + exclude.length === 0) return undefined
  const text = { permitted: namesOf('--permit', permit), excluded: namesOf('--exclude', exclude) }
  return value('--permit and --exclude', parseImposedConstraints(text))
}

function namesOf(flag: string, texts: readonly string[]) {
  const named = texts.map((text) => {
    const [, kind, name = ''] = /^(dns|uri|email|ip):(.+)$/s.exec(text) ?? []
    if (kind !== undefined) return { kind, name }
    throw new Error(`${flag}: "${text}" is not of the form dns:…, uri:…, email:… or ip:…`)
  })
  const of = (kind: string) => named.filter((one) => one.kind === kind).map(({ name }) => name)
  return {
    dnsDomains: of('dns'),
    uriDomains: of('uri'),
    emailAddresses: of('email'),
    ipRanges: of('ip'),
  }
}

function oneOf<T extends string>(flag: string, choices: readonly T[], text: string): T {
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  throw new Error(`${flag}: "${text}" is none of ${choices.join(', ')}`)
}

function value<T>(flag: string, parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value
  throw new Error(`${flag}: ${parsed.refusal.message}`)
}
