import { parseArgs } from 'node:util'
import { isObjectName } from '../api/names.ts'
import { type ParsedFlags, parsedFlags } from './parsed_flags.ts'
import type { SecretPlace } from './secret_manifest.ts'
import {
  objectName,
  objectVersion,
  readVaultFlags,
  required,
  type VaultFlags,
  vaultHelp,
  vaultOptions,
} from './vault_flags.ts'

export interface ExportFlags extends VaultFlags {
  readonly certificate: string
  /** The newest that is usable when absent. */
  readonly version: string | undefined
  readonly format: ExportFormat
  /** Standard output when absent. */
  readonly output: string | undefined
  readonly force: boolean
}

export type ExportFormat =
  /** The chain and then the key, or the key in a file of its own. */
  | { readonly type: 'pem'; readonly keyOutput: string | undefined }
  /** `-` reads the password from standard input. */
  | { readonly type: 'pkcs12'; readonly passwordFile: string }
  | { readonly type: 'secret'; readonly place: SecretPlace }

export const exportHelp = `akv-issuer export: writes a certificate of Key Vault with its key and its chain, leaf first.

${vaultHelp}  --certificate NAME      the Key Vault certificate; its key must be exportable
  --version VERSION       default: the newest that is enabled and within its dates
  --format FORMAT         default pem
      pem                 the chain, then the key (PKCS #8)
      pkcs12              a key store, AES-256; OpenSSL 1.1 and Java 8u301 read it
      secret              a Secret of type kubernetes.io/tls, for kubectl apply -f -
  --output FILE           default: standard output. The file is made whole or not at all, for its
                          owner alone (0600); one that others may read is not replaced
  --key-output FILE       pem: the key into a file of its own
  --password-file FILE    pkcs12: the first line is the password; - reads standard input
  --secret-name NAME      secret: its name
  --namespace NAME        secret: its namespace; default: that of kubectl's context
  --force                 write to a terminal, over a link, over a file that others may read

Exit code 0: written; 1: not; 2: the flags are wrong.
`

/** Reads the flags of `akv-issuer export`. A refusal names the flag and what it takes. */
export function parseExportFlags(args: readonly string[]): ParsedFlags<ExportFlags> {
  return parsedFlags('export', () => readFlags(args))
}

const options = {
  ...vaultOptions,
  certificate: { type: 'string' },
  version: { type: 'string' },
  format: { type: 'string', default: 'pem' },
  output: { type: 'string' },
  'key-output': { type: 'string' },
  'password-file': { type: 'string' },
  'secret-name': { type: 'string' },
  namespace: { type: 'string' },
  force: { type: 'boolean', default: false },
} as const

function readFlags(args: readonly string[]): ExportFlags {
  const { values } = parseArgs({ args: [...args], strict: true, options })
  const { version, output, force } = values
  return {
    ...readVaultFlags(values),
    certificate: objectName('--certificate', values.certificate),
    version: version === undefined ? undefined : objectVersion('--version', version),
    format: readFormat(values),
    output: output === undefined ? undefined : required('--output', output),
    force,
  }
}

type FormatFlag = 'key-output' | 'password-file' | 'secret-name' | 'namespace'
type FormatValues = Readonly<Partial<Record<FormatFlag, string | undefined>>>

interface FormatReader {
  readonly takes: readonly FormatFlag[]
  readonly read: (values: FormatValues) => ExportFormat
}

const formats: ReadonlyMap<string, FormatReader> = new Map<string, FormatReader>([
  ['pem', { takes: ['key-output'], read: readPemFormat }],
  [
    'pkcs12',
    {
      takes: ['password-file'],
      read: (values) => ({
        type: 'pkcs12',
        passwordFile: required('--password-file', values['password-file']),
      }),
    },
  ],
  [
    'secret',
    {
      takes: ['secret-name', 'namespace'],
      read: (values) => ({ type: 'secret', place: readPlace(values) }),
    },
  ],
])

const formatFlags = [...formats.values()].flatMap(({ takes }) => takes)

function readFormat(values: FormatValues & { readonly format: string }): ExportFormat {
  const { format } = values
  const reader = formats.get(format)
  if (reader === undefined) {
    throw new Error(`--format: "${format}" is none of ${[...formats.keys()].join(', ')}`)
  }
  for (const flag of formatFlags) {
    if (values[flag] !== undefined && !reader.takes.includes(flag)) {
      throw new Error(`--${flag} has no meaning with --format ${format}`)
    }
  }
  return reader.read(values)
}

function readPemFormat(values: FormatValues): ExportFormat {
  const keyOutput = values['key-output']
  return {
    type: 'pem',
    keyOutput: keyOutput === undefined ? undefined : required('--key-output', keyOutput),
  }
}

/** Names of Secrets are DNS subdomains, those of namespaces labels (RFC 1123). */
function readPlace({ namespace, 'secret-name': name }: FormatValues): SecretPlace {
  const wanted = required('--secret-name', name)
  if (!isObjectName(wanted)) {
    throw new Error(`--secret-name: "${wanted}" cannot be the name of a Secret`)
  }
  if (namespace !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace)) {
    throw new Error(`--namespace: "${namespace}" cannot be the name of a namespace`)
  }
  return { name: wanted, namespace }
}
