import type { KubernetesCsr } from '../../src/api/kubernetes_csr.ts'
import { makeCsr, makeName, subjectAltName, uriName } from '../pki/make_csr.ts'
import { makeCondition } from './make_request.ts'

export const workload = 'spiffe://cluster.local/ns/shop/sa/web'

/** An approved request of a workload in an Istio mesh, right in all that `parts` leaves out. */
export function makeKubernetesCsr(parts: Partial<KubernetesCsr> = {}): KubernetesCsr {
  return {
    uid: '11111111-2222-3333-4444-555555555555',
    name: 'csr-workload-x7f2k',
    resourceVersion: '42',
    creationTime: '2026-11-22T08:59:59Z',
    signerName: 'clusterissuers.keyvault.akv-issuer.io/mesh',
    csrPem: makeCsr({
      subject: makeName({ '2.5.4.10': '' }),
      extensions: [subjectAltName(uriName(workload))],
    }),
    usages: ['digital signature', 'key encipherment', 'server auth', 'client auth'],
    durationMs: undefined,
    approved: makeCondition('Approved', 'AutoApproved'),
    denied: undefined,
    failed: undefined,
    hasCertificate: false,
    ...parts,
  }
}
