import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DevVault } from './dev_vault.ts'

/**
 * Puts an `az` into a folder that is logged in as an identity of the dev vault: it prints what the
 * real one prints for a token, with one that Entra gives a client.
 */
export async function logInAz(dir: string, vault: DevVault, name = 'operator'): Promise<void> {
  const { tenantId } = vault
  const { clientId, clientSecret } = vault.identity(name)
  const az = `#!${process.execPath}
    const form = new URLSearchParams({
      grant_type: 'client_credentials', client_id: '${clientId}', client_secret: '${clientSecret}',
      scope: process.argv[process.argv.indexOf('--resource') + 1] + '/.default',
    })
    const answer = await fetch('https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token', { method: 'POST', body: form })
    const { access_token: accessToken, expires_in } = await answer.json()
    const expires_on = Math.floor(Date.now() / 1000) + expires_in
    console.log(JSON.stringify({ accessToken, expires_on, tokenType: 'Bearer' }))`
  await writeFile(join(dir, 'az'), az, { mode: 0o700 })
}
