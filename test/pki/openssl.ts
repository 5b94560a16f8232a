import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IssuedCertificate } from '../../src/pki/seal.ts'
import { now } from './make_ca.ts'

/** Fails with OpenSSL's words unless it accepts the chain as a server's; the certificate as text. */
export function opensslVerify({ chainPem, caPem }: IssuedCertificate): string {
  const directory = mkdtempSync(join(tmpdir(), 'pki-'))
  try {
    const chain = join(directory, 'chain.pem')
    const root = join(directory, 'root.pem')
    writeFileSync(chain, chainPem)
    writeFileSync(root, caPem)
    const strict = ['-x509_strict', '-purpose', 'sslserver', '-attime', String(now / 1000)]
    openssl('verify', ...strict, '-CAfile', root, '-untrusted', chain, chain)
    return openssl('x509', '-in', chain, '-noout', '-text')
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { stdio: 'pipe' }).toString()
}
