import { keyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { makeKey } from '../../test/pki/keys.ts'
import { day, makeCa } from '../../test/pki/make_ca.ts'
import { makeName, subjectAltName, uriName } from '../../test/pki/make_csr.ts'
import type { Workload } from '../harness/istio/workload.ts'
import type { Finding } from '../validators/chain.ts'
import { openssl } from '../validators/openssl.ts'
import { certificatesOf } from './tls_secret.ts'

/** What OpenSSL has against a workload's chain, as server and as client, by the roots it trusts. */
export async function faultsOf({
  chain,
  roots,
}: Pick<Workload, 'chain' | 'roots'>): Promise<readonly Finding[]> {
  const certificates = certificatesOf(chain + roots).map(({ raw }) => raw)
  const purposes = [oid.serverAuth, oid.clientAuth]
  // OpenSSL takes no fractions of a second.
  const time = Math.floor(Date.now() / 1000) * 1000
  const traits = { identity: '', use: '', algorithm: '', bounds: '' }
  const question = { title: 'workload', traits, host: '', time, certificates, purposes }
  const [findings] = await openssl.judge([question])
  return findings ?? []
}

/** Says it is the same, by a root of its own. */
export function strangerTo({ identity }: Pick<Workload, 'identity'>): Workload {
  const life = { notBefore: Date.now() - day, notAfter: Date.now() + day }
  const root = makeCa({ name: 'Fabrikam Root', ...life })
  const key = makeKey('ECDSA P-256')
  const leaf = makeCa({
    ca: false,
    keyUsage: keyUsage.digitalSignature,
    subject: makeName(),
    key,
    issuer: root,
    ...life,
    extensions: [subjectAltName(uriName(identity))],
  })
  return {
    identity,
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    chain: [leaf, root]
      .map(({ certificate }) => encodePem('CERTIFICATE', certificate.der))
      .join(''),
    roots: encodePem('CERTIFICATE', root.certificate.der),
  }
}
