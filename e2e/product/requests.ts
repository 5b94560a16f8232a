import type { ApiPath } from '../harness/cluster.ts'
import { at, type Json, listAt, textAt } from '../harness/json.ts'
import { GiveUp, until } from '../harness/until.ts'
import { ourGroup } from './manifests.ts'
import { requestsIn, type Scene } from './scene.ts'

export interface RequestOptions {
  readonly issuer?: string
  readonly group?: string
  /** Laid over the rest of the spec. */
  readonly spec?: Readonly<Record<string, unknown>>
}

/** A CertificateRequest as somebody other than cert-manager makes one. */
export function certificateRequest(name: string, csrPem: string, options: RequestOptions = {}) {
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'CertificateRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(csrPem).toString('base64'),
      issuerRef: {
        name: options.issuer ?? 'akv-issuer',
        kind: 'ClusterIssuer',
        group: options.group ?? ourGroup,
      },
      ...options.spec,
    },
  }
}

/** Creates it, as the admin or another user; returns its path. */
export async function postRequest(
  scene: Scene,
  namespace: string,
  request: ReturnType<typeof certificateRequest>,
  user?: string,
): Promise<ApiPath> {
  const options = user === undefined ? {} : { as: user }
  await scene.cluster.must('POST', requestsIn(namespace), request, options)
  return `${requestsIn(namespace)}/${request.metadata.name}`
}

/** Adds conditions in one write, as the admin, who may approve and deny for every signer. */
export async function addConditions(
  { cluster }: Scene,
  path: ApiPath,
  ...added: readonly { type: string; status?: string; reason: string; message: string }[]
): Promise<void> {
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, '')
  await until(`conditions of ${path} written`, async () => {
    const object = await cluster.must('GET', path)
    const conditions = [
      ...listAt(object, 'status', 'conditions'),
      ...added.map(({ type, status = 'True', reason, message }) => {
        return { type, status, reason, message, lastTransitionTime }
      }),
    ]
    const status = { ...asObject(at(object, 'status')), conditions }
    const { code, body } = await cluster.api('PUT', `${path}/status`, {
      ...asObject(object),
      status,
    })
    if (code !== 200 && code !== 409) throw new GiveUp(JSON.stringify(body))
    return code === 200
  })
}

export const approved = { type: 'Approved', reason: 'Test', message: 'approved by the test' }
export const denied = { type: 'Denied', reason: 'Test', message: 'this name is not yours' }

/** Whether the controller ever wrote anything of the object: its field manager stays in there. */
export function isTouchedByUs(object: Json): boolean {
  return listAt(object, 'metadata', 'managedFields').some(
    (entry) => textAt(entry, 'manager') === 'akv-issuer',
  )
}

function asObject(value: Json | undefined): object {
  return typeof value === 'object' && value !== null ? value : {}
}
