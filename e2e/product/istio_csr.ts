import { tags } from '../../src/pki/der.ts'
import { sequence } from '../../src/pki/der_writer.ts'
import { makeKey } from '../../test/pki/keys.ts'
import { makeCsr, nameAttribute, rdn, subjectAltName, uriName } from '../../test/pki/make_csr.ts'
import { certificateRequest } from './requests.ts'

/** The CSR of a workload as Istio's sidecars make it: an O without a value, and the SPIFFE identity. */
export function workloadCsr(uri: string, key = makeKey('ECDSA P-256')): string {
  return makeCsr({
    key,
    // As Go writes it: a PrintableString.
    subject: sequence(rdn(nameAttribute('2.5.4.10', '', tags.printableString))),
    extensions: [subjectAltName(uriName(uri))],
  })
}

/** The request that istio-csr makes of it. */
export function istioCsrRequest(name: string, uri: string) {
  const usages = ['client auth', 'server auth']
  const request = certificateRequest(name, workloadCsr(uri), {
    spec: { duration: '1h', isCA: false, usages },
  })
  const annotations = { 'istio.cert-manager.io/identities': uri }
  return { ...request, metadata: { ...request.metadata, annotations } }
}
