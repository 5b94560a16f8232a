import { execFile } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DevVault } from './dev_vault.ts'
import { importKey, type VaultRef } from './vault_objects.ts'

const run = promisify(execFile)

/** A CA whose key is in the dev vault, as an operator brings one there. */
export interface VaultCa {
  readonly key: VaultRef
  /** Its own certificate, self-signed. */
  readonly pem: string
}

export type CaKey = 'RSA-2048' | 'P-256' | 'P-384'

export interface CaOptions {
  readonly keyType?: CaKey
  readonly subject?: string
  /** OpenSSL's form; default ten years from now on. */
  readonly validity?: readonly string[]
}

const newKeyArgs: Readonly<Record<CaKey, readonly string[]>> = {
  'RSA-2048': ['-newkey', 'rsa:2048'],
  'P-256': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'P-384': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
}

/** Makes a root with OpenSSL, imports its key into the vault and forgets the file. */
export async function createVaultCa(
  vault: DevVault,
  name: string,
  options: CaOptions = {},
): Promise<VaultCa> {
  const dir = await mkdtemp(join(tmpdir(), 'akv-ca-'))
  try {
    const [keyFile, certFile] = [join(dir, 'ca.key'), join(dir, 'ca.crt')]
    const key = newKeyArgs[options.keyType ?? 'P-256']
    const subject = options.subject ?? `/O=Contoso/CN=${name}`
    const files = ['-keyout', keyFile, '-out', certFile]
    const extensions = [
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ]
    const request = ['req', '-x509', '-new', '-nodes', '-sha256', ...key, '-subj', subject]
    const validity = options.validity ?? ['-days', '3650']
    await run('openssl', [...request, ...validity, ...extensions, ...files])
    const privateKey = createPrivateKey(await readFile(keyFile))
    return { key: await importKey(vault, name, privateKey), pem: await readFile(certFile, 'utf8') }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
