import type { ObjectVersion } from '../vault/vault.ts'

/**
 * The part of an issuer's spec that names a CA, to be pasted: key by its version, certificates
 * spelled out, so that the controller needs no right but to sign.
 *
 * @param pem of the CA, and of those above it up to the root
 * @param secret where the vault keeps the same
 */
export function issuerBlock(
  vaultUrl: string,
  key: ObjectVersion,
  pem: string,
  secret: ObjectVersion,
): string {
  return [
    'spec:',
    `  vaultUrl: ${vaultUrl}`,
    '  ca:',
    `    key: ${flowMap(key)}`,
    '    certificate:',
    `      # or, with the right to read that secret: keyVaultSecret: ${flowMap(secret)}`,
    '      pem: |',
    ...pem
      .trimEnd()
      .split('\n')
      .map((line) => `        ${line}`),
    '',
  ].join('\n')
}

function flowMap({ name, version }: ObjectVersion): string {
  return `{name: ${JSON.stringify(name)}, version: ${JSON.stringify(version)}}`
}
