import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { DevVault } from './dev_vault.ts'

const main = join(import.meta.dirname, '..', '..', 'src/main.ts')

export interface CommandResult {
  readonly code: number | null
  readonly stdout: Buffer
  /** Without the warning that connections go to a dev vault. */
  readonly stderr: string
}

export interface CommandOptions {
  /** Standard input. */
  readonly input?: string
  /** In place of the dev vault's operator, who has all rights. */
  readonly env?: Readonly<Record<string, string>>
}

/** Runs `akv-issuer` as an operator does, and waits for its end. */
export function runCommand(
  vault: DevVault,
  args: readonly string[],
  { input = '', env }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [main, ...args], {
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      ...vault.clientEnv,
      ...(env ?? operatorEnv(vault)),
    },
  })
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  // It may end without reading its input.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      const told = stderr.replace(/^WARNING: connections to .*\n/gm, '')
      resolve({ code, stdout: Buffer.concat(stdout), stderr: told })
    })
  })
}

/** A client secret, as pipelines have it. */
export function operatorEnv(vault: DevVault, name = 'operator'): Record<string, string> {
  const { clientId, clientSecret } = vault.identity(name)
  return {
    AZURE_TENANT_ID: vault.tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: clientSecret,
  }
}
