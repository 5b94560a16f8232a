import { run } from './cli/run.ts'
import { parseRunFlags, runHelp } from './cli/run_flags.ts'
import { packageVersion } from './cli/version.ts'

/** Takes the arguments after its name; gives the exit code of the process. */
type Command = (args: readonly string[]) => number | Promise<number>

const help = `akv-issuer: a cert-manager issuer for Azure Key Vault.

  akv-issuer run [flags]   answer CertificateRequests; see akv-issuer run --help
  akv-issuer version
  akv-issuer help
`

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['run', runCommand],
  ['version', () => print(`${packageVersion()}\n`)],
  ['--version', () => print(`${packageVersion()}\n`)],
  ['help', () => print(help)],
  ['--help', () => print(help)],
])

process.exitCode = await main(process.argv.slice(2))

async function main([word, ...args]: readonly string[]): Promise<number> {
  if (word === undefined) return misuse(help)
  const command = commands.get(word)
  return command ? await command(args) : misuse(`unknown command "${word}"\n${help}`)
}

async function runCommand(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) return print(runHelp)
  const parsed = parseRunFlags(args)
  return parsed.ok ? await run(parsed.flags) : misuse(`${parsed.message}\n`)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function misuse(text: string): number {
  process.stderr.write(text)
  return 2
}
