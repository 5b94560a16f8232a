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
  akv-issuer version
  akv-issuer help
`

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['run', withFlags(runHelp, parseRunFlags, run)],
  ['export', withFlags(exportHelp, parseExportFlags, exportCertificate)],
  ['version', () => print(`${packageVersion()}\n`)],
  ['--version', () => print(`${packageVersion()}\n`)],
  ['help', () => print(help)],
  ['--help', () => print(help)],
])

process.exitCode = await main(process.argv.slice(2))

async function main([word, ...args]: readonly string[]): Promise<number> {
  if (word === undefined) return misuse(help)
  const command = commands.get(word)
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
