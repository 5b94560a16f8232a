import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A certificate and its private key as PEM files. */
export interface KeyPairFiles {
  readonly cert: string
  readonly key: string
}

export interface CertificateRequest {
  /** OpenSSL's form: /O=org/CN=name. */
  readonly subject: string
  readonly usage: 'serverAuth' | 'clientAuth'
  /** OpenSSL's form: IP:127.0.0.1,DNS:localhost. */
  readonly names?: string
}

/** The cluster's own certificate authority. Keys are EC P-256, everything is in one folder. */
export interface Authority {
  readonly caFile: string
  readonly caPem: string
  /** Writes NAME.crt and NAME.key, over older ones if there are any. */
  issue(name: string, request: CertificateRequest): Promise<KeyPairFiles>
}

export async function createAuthority(folder: string): Promise<Authority> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const ca = filesOf(folder, 'ca')
  writeKey(ca.key)
  await certify(ca, '/CN=akv-issuer-test-ca', [], {
    basicConstraints: 'critical,CA:TRUE',
    keyUsage: 'critical,keyCertSign,cRLSign',
  })
  return {
    caFile: ca.cert,
    caPem: readFileSync(ca.cert, 'utf8'),
    async issue(name, { subject, usage, names }) {
      const files = filesOf(folder, name)
      writeKey(files.key)
      await certify(files, subject, ['-CA', ca.cert, '-CAkey', ca.key], {
        basicConstraints: 'critical,CA:FALSE',
        keyUsage: 'critical,digitalSignature',
        extendedKeyUsage: usage,
        ...(names === undefined ? {} : { subjectAltName: names }),
      })
      return files
    },
  }
}

/** A key pair without a certificate, for signing tokens: NAME.pub and NAME.key. */
export function createTokenKeys(folder: string, name: string): { public: string; private: string } {
  const files = { public: join(folder, `${name}.pub`), private: join(folder, `${name}.key`) }
  writeFileSync(files.public, writeKey(files.private))
  return files
}

/** A PKCS #10 request as PEM, signed by the key in `keyFile`. */
export async function createCsr(keyFile: string, subject: string, names?: string): Promise<string> {
  const extensions = names === undefined ? {} : { subjectAltName: names }
  const args = ['req', '-new', '-key', keyFile, '-subj', subject, ...extensionArgs(extensions)]
  return (await run('openssl', args)).stdout
}

/** Writes the certificate of a key, signed by itself or by whom the `signer` arguments name. */
async function certify(
  files: KeyPairFiles,
  subject: string,
  signer: readonly string[],
  extensions: Readonly<Record<string, string>>,
): Promise<void> {
  const request = ['req', '-x509', '-new', '-key', files.key, '-subj', subject]
  const result = ['-out', files.cert, '-days', '7', ...extensionArgs(extensions)]
  await run('openssl', [...request, ...signer, ...result])
}

function extensionArgs(extensions: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(extensions).flatMap(([name, value]) => ['-addext', `${name}=${value}`])
}

function filesOf(folder: string, name: string): KeyPairFiles {
  return { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }
}

/** Returns the public half as PEM. */
function writeKey(file: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  writeFileSync(file, privateKey, { mode: 0o600 })
  return publicKey
}
