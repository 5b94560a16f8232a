import { join } from 'node:path'
import type { Ground } from './control_plane.ts'
import { textAt } from './json.ts'
import { writeKubeconfig } from './kubeconfig.ts'

export interface ServiceAccount {
  readonly namespace: string
  readonly name: string
  /** As RBAC and the audit log call it. */
  readonly user: string
  /** Path of a kubeconfig with its own token. */
  readonly kubeconfig: string
  /** A new token for an audience, as the TokenRequest API gives it. Seconds, default a day. */
  readonly token: (audience: string, seconds?: number) => Promise<string>
}

const dayInSeconds = 24 * 3600

/** Creates the account, and its namespace when that does not exist. */
export async function createServiceAccount(
  { admin, dir, server }: Ground,
  audience: string,
  namespace: string,
  name: string,
): Promise<ServiceAccount> {
  await createUnlessThere(admin, '/api/v1/namespaces', namespace)
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`
  await createUnlessThere(admin, accounts, name)
  const token = async (forAudience: string, seconds = dayInSeconds) => {
    const answer = await admin.must('POST', `${accounts}/${name}/token`, {
      spec: { audiences: [forAudience], expirationSeconds: seconds },
    })
    return textAt(answer, 'status', 'token')
  }
  const file = join(dir, `${namespace}.${name}.kubeconfig`)
  return {
    namespace,
    name,
    user: `system:serviceaccount:${namespace}:${name}`,
    kubeconfig: writeKubeconfig(file, server, { token: await token(audience) }),
    token,
  }
}

async function createUnlessThere(
  admin: Ground['admin'],
  collection: string,
  name: string,
): Promise<void> {
  const { code } = await admin.api('GET', `${collection}/${name}`)
  if (code === 404) await admin.must('POST', collection, { metadata: { name } })
}
