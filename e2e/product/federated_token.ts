import { sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster } from '../harness/cluster.ts'
import { parseJson } from '../harness/json.ts'

/** The same token as the API server would have given it two hours ago, for an hour. */
export async function expired(cluster: Cluster, token: string): Promise<string> {
  const key = await readFile(join(cluster.dir, 'pki', 'service-accounts.key'), 'utf8')
  const [header = '', payload = ''] = token.split('.')
  const now = Math.floor(Date.now() / 1000)
  const times = { iat: now - 7_200, nbf: now - 7_200, exp: now - 3_600 }
  const claims = parseJson(Buffer.from(payload, 'base64url').toString())
  if (typeof claims !== 'object' || claims === null) throw new Error('a token without claims')
  const signed = `${header}.${Buffer.from(JSON.stringify({ ...claims, ...times })).toString('base64url')}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}
