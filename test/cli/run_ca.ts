import { caCsr } from '../../src/cli/ca_csr.ts'
import {
  type CaCsrFlags,
  parseCaCsrFlags,
  parseCaInitFlags,
  parseCaInstallFlags,
  parseCaShowFlags,
} from '../../src/cli/ca_flags.ts'
import { caInit } from '../../src/cli/ca_init.ts'
import { caInstall } from '../../src/cli/ca_install.ts'
import { caShow } from '../../src/cli/ca_show.ts'
import type { DevVault } from '../../src/devvault/dev_vault.ts'
import { identityNamed } from '../devvault/here.ts'
import { type CommandResult, command } from './command.ts'

const commands = {
  init: command(parseCaInitFlags, caInit),
  csr: command<CaCsrFlags>(parseCaCsrFlags, caCsr),
  install: command(parseCaInstallFlags, caInstall),
  show: command(parseCaShowFlags, caShow),
}

/** Runs `akv-issuer ca` in this process, against the dev vault that stands under its name here. */
export async function runCa(
  word: keyof typeof commands,
  name: string,
  ...flags: readonly string[]
): Promise<CommandResult> {
  const which = ['--vault=https://contoso.vault.azure.net', `--name=${name}`]
  return await commands[word]([...which, ...flags])
}

/** Lets commands of this process be the dev vault's operator. */
export function becomeOperator(vault: DevVault): void {
  const { clientId, clientSecret = '' } = identityNamed(vault, 'operator')
  Object.assign(process.env, {
    AZURE_TENANT_ID: vault.info.tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: clientSecret,
  })
}
