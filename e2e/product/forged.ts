import { makeCsr } from '../../test/pki/make_csr.ts'
import { type Json, textAt } from '../harness/json.ts'
import { certificateRequest } from './requests.ts'

/** What a request says of itself, true or not. */
export interface Claims {
  /** The Certificate that it names as its owner, and as what it was made for. */
  readonly certificate: Json
  readonly revision: number
  /** Where the next private key is said to be. */
  readonly secret: string
}

/** A request made by hand that gives itself out as one of cert-manager's. */
export function forgedRequest(name: string, issuer: string, claims: Claims) {
  const owner = textAt(claims.certificate, 'metadata', 'name')
  const request = certificateRequest(name, makeCsr(), { issuer })
  return {
    ...request,
    metadata: {
      ...request.metadata,
      annotations: {
        'cert-manager.io/certificate-revision': String(claims.revision),
        'cert-manager.io/private-key-secret-name': claims.secret,
        'cert-manager.io/certificate-name': owner,
      },
      ownerReferences: [
        {
          apiVersion: 'cert-manager.io/v1',
          kind: 'Certificate',
          name: owner,
          uid: textAt(claims.certificate, 'metadata', 'uid'),
          controller: true,
        },
      ],
    },
  }
}
