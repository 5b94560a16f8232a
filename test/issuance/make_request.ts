import type { CertificateRequest } from '../../src/api/certificate_request.ts'
import type { Condition } from '../../src/api/conditions.ts'
import { makeCsr } from '../pki/make_csr.ts'

/** An approved request for `myapp.example.com` with our group, right in all that `parts` leaves out. */
export function makeRequest(parts: Partial<CertificateRequest> = {}): CertificateRequest {
  return {
    uid: '11111111-2222-3333-4444-555555555555',
    namespace: 'istio-system',
    name: 'myapp-cert-1',
    resourceVersion: '42',
    creationTime: '2026-11-22T08:59:59Z',
    issuerRef: { group: 'keyvault.akv-issuer.io', kind: 'ClusterIssuer', name: 'akv-issuer' },
    csrPem: makeCsr(),
    isCA: false,
    usages: ['digital signature', 'key encipherment'],
    durationMs: undefined,
    certificate: { name: 'myapp-cert', uid: '66666666-7777-8888-9999-000000000000' },
    claims: { nextKeySecret: 'myapp-cert-x7f2k', revision: '1', chosen: undefined },
    approved: makeCondition('Approved', 'cert-manager.io'),
    denied: undefined,
    invalid: undefined,
    ready: undefined,
    hasCertificate: false,
    roots: undefined,
    ...parts,
  }
}

export function makeCondition(
  type: string,
  reason: string,
  status: Condition['status'] = 'True',
): Condition {
  const lastTransitionTime = '2026-11-22T09:00:00Z'
  return { type, status, reason, message: `${type} by a test`, lastTransitionTime }
}
