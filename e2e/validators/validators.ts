import { join } from 'node:path'
import { pythonSource } from '../harness/python_environment.ts'
import { ensureValidators } from '../harness/tools.ts'
import { batchValidator } from './batch.ts'
import type { Validator } from './chain.ts'
import { openssl } from './openssl.ts'

/** Everybody whose word counts: three that follow the chain and two that read the certificate. */
export async function validators(): Promise<readonly Validator[]> {
  const { path, python, gnutls } = await ensureValidators()
  return [
    openssl,
    batchValidator('crypto/x509', path('verify'), []),
    batchValidator('GnuTLS', python, script('gnutls_verify.py', gnutls)),
    batchValidator('zlint', path('zlint'), []),
    batchValidator('pkilint', python, script('pkilint_lint.py')),
  ]
}

/** Without traces in the source and without the user's settings. */
function script(name: string, ...args: readonly string[]): readonly string[] {
  return ['-B', '-E', '-s', join(pythonSource, name), ...args]
}
