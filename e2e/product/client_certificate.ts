import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The data of a kubernetes.io/tls Secret, in PEM. */
export interface ClientPair {
  readonly 'tls.crt': string
  readonly 'tls.key': string
}

/** A certificate for an application of Entra, self-signed as most are, with its key. By OpenSSL. */
export async function createClientPair(): Promise<ClientPair> {
  const dir = await mkdtemp(join(tmpdir(), 'akv-client-'))
  try {
    const [key, crt] = [join(dir, 'tls.key'), join(dir, 'tls.crt')]
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=akv-issuer']
    await run('openssl', [...args, '-keyout', key, '-out', crt])
    return { 'tls.crt': await readFile(crt, 'utf8'), 'tls.key': await readFile(key, 'utf8') }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
