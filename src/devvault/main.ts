/** Entry point of the dev vault: `npm run -s dev-vault -- [flags]`. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { IssuerError } from '../error.ts'
import { type DevVaultOptions, startDevVault } from './dev_vault.ts'
import { type IdentityInput, parseIdentityInput } from './identities.ts'

const usage = `Usage: npm run -s dev-vault -- [flags]

A stand-in for Azure Key Vault and Entra ID on loopback, for trial and tests only.
Prints one JSON line with URLs, CA file, admin URL and identities, and runs until SIGTERM.

  --port N            port of vault and Entra (default: a free one)
  --admin-port N      port of the admin API (default: a free one)
  --imds-port N       port of the managed identity endpoint (default: a free one)
  --state-dir DIR     keeps everything, private keys too, for the next start
                      (default: a temporary directory, removed at the end)
  --tenant GUID       tenant id
  --vault NAME        name of a vault, repeatable; the first answers to 127.0.0.1 (default: contoso).
                      Of a Managed HSM, or outside the public cloud, its host: contoso.vault.azure.cn
  --identities FILE   JSON list of identities instead of the default ones
  --latency OP=MS     for one operation (keys/sign), a class (keys) or *; repeatable
`

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    'admin-port': { type: 'string' },
    'imds-port': { type: 'string' },
    'state-dir': { type: 'string' },
    tenant: { type: 'string' },
    vault: { type: 'string', multiple: true },
    identities: { type: 'string' },
    latency: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h' },
  },
})

if (values.help) {
  process.stdout.write(usage)
} else {
  try {
    await run()
  } catch (error) {
    process.stderr.write(`dev vault: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}

async function run(): Promise<void> {
  const vault = await startDevVault(await optionsFromFlags())
  process.stderr.write(
    'WARNING: this is the akv-issuer dev vault, a stand-in for trial and tests. It protects nothing: keys lie open in memory and in its state file, everybody on this machine may steer it.\n',
  )
  process.stdout.write(`${JSON.stringify(vault.info)}\n`)
  const stop = () => {
    vault.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

async function optionsFromFlags(): Promise<DevVaultOptions> {
  const { tenant, vault, identities, latency } = values
  const port = parsePort(values.port, '--port')
  const adminPort = parsePort(values['admin-port'], '--admin-port')
  const imdsPort = parsePort(values['imds-port'], '--imds-port')
  const stateDir = values['state-dir']
  return {
    ...(port !== undefined && { port }),
    ...(adminPort !== undefined && { adminPort }),
    ...(imdsPort !== undefined && { imdsPort }),
    ...(stateDir !== undefined && { stateDir }),
    ...(tenant !== undefined && { tenantId: tenant }),
    ...(vault !== undefined && { vaults: vault }),
    ...(identities !== undefined && { identities: await readIdentities(identities) }),
    ...(latency !== undefined && { latency: Object.fromEntries(latency.map(parseLatencyFlag)) }),
  }
}

function parsePort(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port
  throw new IssuerError('SpecInvalid', `${flag} ${JSON.stringify(text)}: expected a port number`)
}

function parseLatencyFlag(text: string): [operation: string, ms: number] {
  const [, operation, ms] = /^([a-z*/-]+)=(\d+)$/.exec(text) ?? []
  if (operation !== undefined && ms !== undefined) return [operation, Number(ms)]
  throw new IssuerError(
    'SpecInvalid',
    `--latency ${JSON.stringify(text)}: expected an operation and milliseconds, such as keys/sign=20`,
  )
}

async function readIdentities(file: string): Promise<readonly IdentityInput[]> {
  const content: unknown = JSON.parse(await readFile(file, 'utf8'))
  if (Array.isArray(content)) return content.map(parseIdentityInput)
  throw new IssuerError('SpecInvalid', `--identities ${file}: expected a JSON list`)
}
