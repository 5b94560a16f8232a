import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { stringAt } from './here.ts'

const main = fileURLToPath(new URL('../../src/devvault/main.ts', import.meta.url))

test('prints one JSON line by which another process comes to a signature, and ends on SIGTERM', async () => {
  const child = spawn(process.execPath, [main, '--vault', 'fabrikam', '--latency', 'keys/sign=1'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    let warning = ''
    child.stderr.on('data', (chunk: Buffer) => {
      warning += chunk.toString()
    })
    const lines: string[] = []
    const reader = createInterface(child.stdout)
    reader.on('line', (line) => lines.push(line))
    await once(reader, 'line')
    const info: unknown = JSON.parse(lines[0] ?? '')
    assert.equal(stringAt(info, 'vaultHost'), 'fabrikam.vault.azure.net')

    const client = `
      import { ClientSecretCredential } from '@azure/identity'
      import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
      const info = JSON.parse(process.env.INFO)
      const { clientId, clientSecret } = info.identities.find(({ name }) => name === 'operator')
      const credential = new ClientSecretCredential(info.tenantId, clientId, clientSecret)
      const key = await new KeyClient('https://fabrikam.vault.azure.net', credential).createEcKey('ca')
      const { result } = await new CryptographyClient(key, credential).sign('ES256', new Uint8Array(32))
      console.log(result.length)`
    const env = Object.fromEntries(
      ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'AKV_DEVVAULT_CONNECT'].map((name) => [
        name,
        stringAt(info, 'env', name),
      ]),
    )
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', client],
      { env: { ...process.env, ...env, INFO: lines[0] ?? '' } },
    )
    assert.equal(stdout, '64\n')
    assert.match(stderr, /^WARNING: connections to .* go to a dev vault \(trial only\)\n$/)

    child.kill('SIGTERM')
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
    assert.equal(lines.length, 1)
    assert.match(warning, /^WARNING: .* stand-in for trial and tests/)
    assert.equal(existsSync(stringAt(info, 'caFile')), false)
  } finally {
    child.kill('SIGKILL')
  }
})

test('refuses flags with words', async () => {
  for (const args of [
    ['--port', 'x'],
    ['--latency', 'fast'],
  ]) {
    await assert.rejects(promisify(execFile)(process.execPath, [main, ...args]), {
      code: 1,
      stderr: /^dev vault: --(port|latency) /,
    })
  }
})
