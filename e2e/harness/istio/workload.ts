import { connect, createServer, type TLSSocket } from 'node:tls'
import { type KeyPair, makeKey } from '../../../test/pki/keys.ts'
import { makeCsr, subjectAltName, uriName } from '../../../test/pki/make_csr.ts'
import { type CertificateCall, createCertificate } from './certificate_service.ts'
import type { Istiod } from './istiod.ts'

/** Something in the mesh, with the identity of a ServiceAccount; what its proxy holds, as PEM. */
export interface Workload {
  /** `spiffe://cluster.local/ns/NAMESPACE/sa/NAME` */
  readonly identity: string
  readonly key: string
  /** The leaf first, as istiod answered it. */
  readonly chain: string
  /** Whom it trusts: the last element of istiod's answer. */
  readonly roots: string
}

/** A proxy before it has a certificate. */
export interface Identity {
  readonly identity: string
  readonly key: KeyPair
  readonly csr: string
  /** For istiod. */
  readonly token: string
}

/** Creates the ServiceAccount, and the namespace if there is none, and a key. */
export async function createIdentity(
  { cluster }: Istiod,
  namespace: string,
  name: string,
): Promise<Identity> {
  const account = await cluster.serviceAccount(namespace, name)
  const identity = `spiffe://cluster.local/ns/${namespace}/sa/${name}`
  const key = makeKey('ECDSA P-256')
  const csr = makeCsr({ key, extensions: [subjectAltName(uriName(identity))] })
  return { identity, key, csr, token: await account.token('istio-ca') }
}

/** Asks istiod for the certificate. `roots` is what ConfigMap istio-ca-root-cert says. */
export async function certify(
  istiod: Istiod,
  { identity, key, csr, token }: Identity,
  roots: string,
  options: Pick<CertificateCall, 'seconds' | 'certSigner'> = {},
): Promise<Workload> {
  const credential = { token }
  const answer = await createCertificate(istiod, { csr, roots, credential, ...options })
  return {
    identity,
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    chain: answer.slice(0, -1).join(''),
    roots: answer.at(-1) ?? '',
  }
}

/** How a TLS handshake between two workloads ended: each side says whom it saw, or why not. */
export interface Meeting {
  readonly server: string
  readonly client: string
}

/** Both verify the other's chain by their own roots and look at the identity, as mTLS in a mesh. */
export async function meet(server: Workload, client: Workload): Promise<Meeting> {
  const seen: { server?: string; client?: string } = {}
  // By itself Node would hang up on a client it cannot verify, and not say why.
  const judging = { requestCert: true, rejectUnauthorized: false }
  const listener = createServer({ ...tlsOf(server), ...judging }, (socket) => {
    seen.server = socket.authorized ? identityOf(socket) : String(socket.authorizationError)
    socket.on('error', () => undefined).end(socket.authorized ? 'hello' : '')
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  const port = typeof address === 'object' ? address?.port : undefined
  if (port === undefined) throw new Error('a TCP server without a port')
  // In TLS 1.3 a server judges after the client is content: only data says that it is, too.
  await new Promise<void>((resolve) => {
    const socket = connect({
      ...tlsOf(client),
      host: '127.0.0.1',
      port,
      checkServerIdentity: () => undefined,
    })
    socket.on('data', () => {
      seen.client = identityOf(socket)
    })
    socket.on('error', (error) => {
      seen.client ??= error.message
    })
    socket.on('close', () => resolve())
  })
  await new Promise((resolve) => listener.close(resolve))
  return { server: seen.server ?? 'no handshake', client: seen.client ?? 'closed without a word' }
}

function tlsOf({ key, chain, roots }: Workload): { key: string; cert: string; ca: string } {
  return { key, cert: chain, ca: roots }
}

function identityOf(socket: TLSSocket): string {
  return socket.getPeerX509Certificate()?.subjectAltName?.replace(/^URI:/, '') ?? 'nobody'
}
