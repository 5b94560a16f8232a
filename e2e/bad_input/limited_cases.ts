import { objectIdentifier, sequence } from '../../src/pki/der_writer.ts'
import { oid } from '../../src/pki/oids.ts'
import { makeKey } from '../../test/pki/keys.ts'
import { type CaParts, makeCa } from '../../test/pki/make_ca.ts'
import { extension } from '../../test/pki/make_csr.ts'
import type { Scene } from '../product/scene.ts'
import { importKey } from '../product/vault_objects.ts'
import { lifetime, pemOf } from './ca_cases.ts'
import type { Case } from './case.ts'

/** Issuers that can sign, with a CA that istiod would take and workloads could not use. */
export async function limitedCases({ vault }: Scene): Promise<readonly Case[]> {
  const spec = async (name: string, parts: CaParts) => {
    const ca = makeCa({ name, key: makeKey('ECDSA P-256'), ...parts, ...lifetime() })
    const key = await importKey(vault, name, ca.key.privateKey)
    return { ca: { key, certificate: { pem: pemOf(ca) } } }
  }
  const serverAuth = sequence(objectIdentifier(oid.serverAuth))
  return [
    {
      name: 'no-room-below',
      spec: await spec('no-room-below', { pathLength: 0 }),
      reason: 'ChainLimits',
      message:
        'no CA may stand below the CA certificate for CN=no-room-below (pathLenConstraint, its own); ' +
        'Certificates with isCA: true are refused: for them use a CA whose chain leaves room below',
    },
    {
      name: 'servers-only',
      spec: await spec('servers-only', { extensions: [extension(oid.extKeyUsage, serverAuth)] }),
      reason: 'ChainLimits',
      message:
        'the CA certificate for CN=servers-only is limited to the usages [server auth]; others are ' +
        'refused, and what a Certificate with isCA: true signs is good for no others; workloads of a ' +
        'mesh need [client auth] too: for them use a CA without extKeyUsage',
    },
  ]
}
