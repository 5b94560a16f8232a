import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Json, textAt } from '../harness/json.ts'

const run = promisify(execFile)

/**
 * Has OpenSSL verify the chain of a TLS Secret for a server's use and show its leaf. The key in the
 * Secret is not looked at.
 *
 * @returns OpenSSL's own words; throws with them when the chain is not good
 */
export async function verifySecretChain(
  secret: Json,
): Promise<{ readonly verdict: string; readonly leaf: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'akv-chain-'))
  try {
    const [chain, ca] = [join(dir, 'tls.crt'), join(dir, 'ca.crt')]
    await writeFile(chain, decoded(secret, 'tls.crt'))
    await writeFile(ca, decoded(secret, 'ca.crt'))
    const verify = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca]
    const { stdout } = await run('openssl', [...verify, '-untrusted', chain, chain], { cwd: dir })
    const show = ['x509', '-in', chain, '-noout', '-issuer', '-serial', '-dates', '-ext']
    const { stdout: leaf } = await run('openssl', [...show, 'subjectAltName,extendedKeyUsage'])
    return { verdict: stdout.trim().split('/').at(-1) ?? '', leaf: leaf.trim() }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function decoded(secret: Json, key: string): Buffer {
  return Buffer.from(textAt(secret, 'data', key), 'base64')
}
