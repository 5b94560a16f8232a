import { caCsr } from './cli/ca_csr.ts'
import {
  caCsrHelp,
  caInitHelp,
  caInstallHelp,
  caShowHelp,
  parseCaCsrFlags,
  parseCaInitFlags,
  parseCaInstallFlags,
  parseCaShowFlags,
} from './cli/ca_flags.ts'
import { caInit } from './cli/ca_init.ts'
import { caInstall } from './cli/ca_install.ts'
import { caShow } from './cli/ca_show.ts'
import { check } from './cli/check.ts'
import { checkHelp, parseCheckFlags } from './cli/check_flags.ts'
import { exportCertificate } from './cli/export.ts'
import { exportHelp, parseExportFlags } from './cli/export_flags.ts'
import type { ParsedFlags } from './cli/parsed_flags.ts'
import { run } from './cli/run.ts'
import { parseRunFlags, runHelp } from './cli/run_flags.ts'
import { packageVersion } from './cli/version.ts'
import { IssuerError } from './error.ts'

/** Takes the arguments after its name; gives the exit code of the process. */
type Command = (args: readonly string[]) => number | Promise<number>

const help = `akv-issuer: a cert-manager issuer for Azure Key Vault.

  akv-issuer run [flags]   answer CertificateRequests; see akv-issuer run --help
  akv-issuer export        write a certificate of Key Vault with its key; see export --help
  akv-issuer check         what an issuer rests on, and what mends it; see check --help
  akv-issuer ca init       make a root CA in the vault
  akv-issuer ca csr        make a key in the vault and a request for a CA certificate
  akv-issuer ca install    keep the certificate that another CA made for it
  akv-issuer ca show       what a CA is, and what is wrong with it
  akv-issuer version
  akv-issuer help
`

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['run', withFlags(runHelp, parseRunFlags, run)],
  ['export', withFlags(exportHelp, parseExportFlags, exportCertificate)],
  ['check', withFlags(checkHelp, parseCheckFlags, check)],
  ['ca', (args) => dispatch(caCommands, args)],
  ['version', () => print(`${packageVersion()}\n`)],
  ['--version', () => print(`${packageVersion()}\n`)],
  ['help', () => print(help)],
  ['--help', () => print(help)],
])

const caCommands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['init', withFlags(caInitHelp, parseCaInitFlags, caInit)],
  ['csr', withFlags(caCsrHelp, parseCaCsrFlags, caCsr)],
  ['install', withFlags(caInstallHelp, parseCaInstallFlags, caInstall)],
  ['show', withFlags(caShowHelp, parseCaShowFlags, caShow)],
])

process.exitCode = await dispatch(commands, process.argv.slice(2))

async function dispatch(
  table: ReadonlyMap<string, Command>,
  [word, ...args]: readonly string[],
): Promise<number> {
  if (word === undefined) return misuse(help)
  const command = table.get(word)
  if (!command) return misuse(`unknown command "${word}"\n${help}`)
  try {
    return await command(args)
  } catch (thrown) {
    if (!(thrown instanceof IssuerError)) throw thrown
    process.stderr.write(`akv-issuer ${word}: ${thrown.message}\n`)
    return 1
  }
}

function withFlags<T>(
  usage: string,
  parse: (args: readonly string[]) => ParsedFlags<T>,
  work: (flags: T) => Promise<number>,
): Command {
  return async (args) => {
    if (args.includes('--help')) return print(usage)
    const parsed = parse(args)
    return parsed.ok ? await work(parsed.flags) : misuse(`${parsed.message}\n`)
  }
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function misuse(text: string): number {
  process.stderr.write(text)
  return 2
}
