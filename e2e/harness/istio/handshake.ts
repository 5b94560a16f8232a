import type { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'

export interface HandshakeTarget {
  readonly port: number
  readonly host: string
  /** PEM: by whom the server's certificate is verified. */
  readonly roots: string
}

/** The server's chain as far as it was sent, the leaf first; throws when it does not verify. */
export function shakeHands(target: HandshakeTarget): Promise<readonly X509Certificate[]> {
  const { port, host, roots } = target
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: host, ca: roots })
    socket
      .setTimeout(timeoutMs, () => socket.destroy(new Error(`silent for ${timeoutMs / 1000} s`)))
      .on('error', reject)
      .on('secureConnect', () => {
        const chain: X509Certificate[] = []
        let next = socket.getPeerX509Certificate()
        while (next !== undefined) {
          chain.push(next)
          next = next.issuerCertificate
        }
        socket.destroy()
        resolve(chain)
      })
  })
}

const timeoutMs = 5_000
