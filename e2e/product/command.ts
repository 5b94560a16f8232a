import { join } from 'node:path'
import { type ProgramOutput, runToEnd } from '../harness/program.ts'
import type { DevVault } from './dev_vault.ts'

const sources = join(import.meta.dirname, '..', '..', 'src/main.ts')

export interface CommandOptions {
  /** Standard input. */
  readonly input?: string
  /** In place of the dev vault's operator, who has all rights. */
  readonly env?: Readonly<Record<string, string>>
  /** In place of the sources, which take a second to start. */
  readonly main?: string
}

/**
 * Runs `akv-issuer` as an operator does, and waits for its end. Its standard error is without the
 * warning that connections go to a dev vault.
 */
export async function runCommand(
  vault: DevVault,
  args: readonly string[],
  { input = '', env, main = sources }: CommandOptions = {},
): Promise<ProgramOutput> {
  const output = await runToEnd(
    process.execPath,
    [main, ...args],
    {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      ...vault.clientEnv,
      ...(env ?? operatorEnv(vault)),
    },
    input,
  )
  return { ...output, stderr: output.stderr.replace(/^WARNING: connections to .*\n/gm, '') }
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
