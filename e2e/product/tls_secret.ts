import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { type Json, textAt } from '../harness/json.ts'
import { certificatesIn, type Scene } from './scene.ts'

/** What cert-manager put into the Secret of a Certificate. */
export interface TlsSecret {
  readonly secret: Json
  readonly leaf: X509Certificate
  /** What stands behind the leaf in `tls.crt`. */
  readonly above: readonly X509Certificate[]
  /** All of `ca.crt`. */
  readonly roots: readonly X509Certificate[]
  readonly privateKey: KeyObject
}

/** The Secret of a Certificate once that is Ready. */
export async function issued(scene: Scene, namespace: string, name: string): Promise<TlsSecret> {
  const certificate = await scene.ready(`${certificatesIn(namespace)}/${name}`)
  return await readSecret(scene, namespace, textAt(certificate, 'spec', 'secretName'))
}

export async function readSecret(
  { cluster }: Scene,
  namespace: string,
  name: string,
): Promise<TlsSecret> {
  const secret = await cluster.must('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`)
  const text = (key: string) => Buffer.from(textAt(secret, 'data', key), 'base64').toString()
  const [leaf, ...above] = certificatesOf(text('tls.crt'))
  if (leaf === undefined) throw new Error(`Secret ${name}: no certificate in tls.crt`)
  const privateKey = createPrivateKey(text('tls.key'))
  return { secret, leaf, above, roots: certificatesOf(text('ca.crt')), privateKey }
}

export function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

/** One word for a certificate, to compare lists of them. */
export function idOf(certificate: X509Certificate | undefined): string | undefined {
  return certificate?.fingerprint256
}
