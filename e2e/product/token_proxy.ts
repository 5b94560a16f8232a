import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { createAuthority } from '../harness/authority.ts'
import type { Cluster } from '../harness/cluster.ts'
import { at, textAt } from '../harness/json.ts'
import type { DevVault } from './dev_vault.ts'

/** Of the ServiceAccount tokens that it takes, in place of Entra's. */
export const bindingAudience = 'api://AKSIdentityBinding'
const serverName = 'a1b2c3.ests.aks'
const authority = 'login.microsoftonline.com'

/** One request, and what became of it. */
export interface Exchange {
  readonly serverName: unknown
  readonly user: string
  readonly clientId: string
  readonly status: number
}

export interface TokenProxy {
  /** What the webhook sets on a pod that asks for an identity binding. */
  readonly env: Readonly<Record<string, string>>
  readonly exchanges: readonly Exchange[]
  stop(): Promise<void>
}

/**
 * The proxy that AKS has for identity bindings, as Microsoft documents it: it takes requests for
 * tokens with a ServiceAccount token of its own audience, asks the API server whose that is and
 * whether he may use the identity, and shows Entra a token of its own instead, of which alone the
 * identity knows.
 */
export async function startTokenProxy(
  cluster: Cluster,
  vault: DevVault,
  boundClientId: string,
): Promise<TokenProxy> {
  const ca = await createAuthority(join(cluster.dir, 'token-proxy'))
  const names = { subject: '/CN=token-proxy', names: `DNS:${serverName}` }
  const { cert, key } = await ca.issue('proxy', { ...names, usage: 'serverAuth' })
  const issuer = `https://ib.oic.prod-aks.azure.com/${vault.tenantId}/${boundClientId}`
  const subject = `identity-binding-${boundClientId}`
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'proxy' }]
  const jwks = { keys }
  const audience = 'api://AzureADTokenExchange'
  const federation = { clientId: boundClientId, issuer, subject, audience, jwks }
  await vault.admin('POST', '/federation', federation)

  const exchanges: Exchange[] = []
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const form = new URLSearchParams(await textOf(request))
    const clientId = form.get('client_id') ?? ''
    const user = await userOf(cluster, form.get('client_assertion') ?? '')
    const asked = request.socket instanceof TLSSocket && request.socket.servername
    const done = (status: number, body: string) => {
      exchanges.push({ serverName: asked, user, clientId, status })
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    }
    if (asked !== serverName || !(await mayUse(cluster, user, clientId))) return done(403, '{}')
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer, sub: subject, aud: audience, nbf: now - 60, exp: now + 600 }
    const signed = `${encoded({ alg: 'ES256', kid: 'proxy' })}.${encoded(claims)}`
    const signature = sign('sha256', Buffer.from(signed), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    form.set('client_assertion', `${signed}.${signature.toString('base64url')}`)
    const answer = await askEntra(vault, request.url ?? '', form.toString())
    done(answer.status, answer.body)
  }
  const server = createServer(
    { cert: readFileSync(cert), key: readFileSync(key) },
    (request, response) => {
      handle(request, response).catch(() => response.destroy())
    },
  )
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the proxy has no port')
  return {
    env: {
      AZURE_CLIENT_ID: boundClientId,
      AZURE_KUBERNETES_TOKEN_PROXY: `https://127.0.0.1:${address.port}`,
      AZURE_KUBERNETES_SNI_NAME: serverName,
      AZURE_KUBERNETES_CA_FILE: ca.caFile,
    },
    exchanges,
    stop: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}

/** Whose token it is; nobody's when it is for another audience. */
async function userOf(cluster: Cluster, token: string): Promise<string> {
  const review = await cluster.must('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
    spec: { token, audiences: [bindingAudience] },
  })
  return String(at(review, 'status', 'user', 'username') ?? '')
}

async function mayUse(cluster: Cluster, user: string, clientId: string): Promise<boolean> {
  if (user === '') return false
  const attributes = {
    group: 'cid.wi.aks.azure.com',
    resource: clientId,
    verb: 'use-managed-identity',
  }
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
  const spec = { user, resourceAttributes: attributes }
  return at(await cluster.must('POST', path, { spec }), 'status', 'allowed') === true
}

function askEntra(
  { info }: DevVault,
  path: string,
  body: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const { hostname, port } = new URL(textAt(info, 'authorityHost'))
  const ca = readFileSync(textAt(info, 'caFile'))
  const headers = { host: authority, 'content-type': 'application/x-www-form-urlencoded' }
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, method: 'POST', ca, servername: authority, headers }
    const request = httpsRequest(options, (response) => {
      const status = response.statusCode ?? 0
      textOf(response).then((text) => resolve({ status, body: text }), reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of message) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
