import type { Vault } from '../../src/vault/vault.ts'

/** A vault that must not be called: what is tested only looks at which one it is. */
export function makeNoVault(): Vault {
  return {
    sign: never,
    secret: never,
    authenticate: never,
    certificate: never,
    latestCertificate: never,
    certificateVersions: never,
  }
}

function never(): Promise<never> {
  return Promise.reject(new Error('this test calls no vault'))
}
