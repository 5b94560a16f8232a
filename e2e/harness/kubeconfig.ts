import { writeFileSync } from 'node:fs'

export interface KubeconfigServer {
  readonly url: string
  readonly caPem: string
}

export type KubeconfigUser =
  | { readonly certPem: string; readonly keyPem: string }
  | { readonly token: string }

/** Writes a kubeconfig with one user, everything inline, readable by the owner only. */
export function writeKubeconfig(
  file: string,
  server: KubeconfigServer,
  user: KubeconfigUser,
): string {
  const credentials =
    'token' in user
      ? { token: user.token }
      : {
          'client-certificate-data': base64(user.certPem),
          'client-key-data': base64(user.keyPem),
        }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      {
        name: 'test',
        cluster: { server: server.url, 'certificate-authority-data': base64(server.caPem) },
      },
    ],
    users: [{ name: 'test', user: credentials }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  }
  writeFileSync(file, `${JSON.stringify(config, null, 1)}\n`, { mode: 0o600 })
  return file
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
