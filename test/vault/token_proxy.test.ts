import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { IssuerError } from '../../src/error.ts'
import { parseVaultUrl } from '../../src/vault/cloud.ts'
import { type CompleteIdentity, credentialOf } from '../../src/vault/identity.ts'
import { identityFailure } from '../../src/vault/identity_failure.ts'
import { type TokenProxy, type TokenProxyTrust, tokenProxy } from '../../src/vault/token_proxy.ts'

const serverName = 'a1b2c3.ests.aks'
const dir = mkdtempSync(join(tmpdir(), 'akv-token-proxy-'))
const { cloud } = parseVaultUrl('https://contoso.vault.azure.net', ['.vault.azure.net'])
const file = (name: string) => join(dir, name)

interface Asked {
  readonly path: string | undefined
  readonly serverName: unknown
  readonly assertion: string | null
  readonly scope: string | null
}

type WorkloadIdentity = Extract<CompleteIdentity, { type: 'workload' }>

let server: Server
let url: string
let asked: Asked[]
let answer: { readonly status: number; readonly body: string }

before(async () => {
  for (const name of ['proxy', 'other']) {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const names = ['-subj', '/CN=proxy', '-addext', `subjectAltName=DNS:${serverName}`]
    const files = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)]
    execFileSync('openssl', ['req', '-x509', ...key, ...names, ...files], { stdio: 'ignore' })
  }
  writeFileSync(file('token'), 'a ServiceAccount token\n')
  const pair = { key: readFileSync(file('proxy.key')), cert: readFileSync(file('proxy.crt')) }
  server = createServer(pair, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const form = new URLSearchParams(body)
    const { socket } = request
    asked.push({
      path: request.url?.split('?')[0],
      serverName: socket instanceof TLSSocket && socket.servername,
      assertion: form.get('client_assertion'),
      scope: form.get('scope'),
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  assert(typeof address === 'object' && address !== null)
  url = `https://127.0.0.1:${address.port}`
})

after(() => {
  server.closeAllConnections()
  server.close()
  rmSync(dir, { recursive: true })
})

beforeEach(() => {
  asked = []
  const token = { token_type: 'Bearer', expires_in: 3599, access_token: 'a token' }
  answer = { status: 200, body: JSON.stringify(token) }
})

function identityBy(proxy: Partial<TokenProxy>): WorkloadIdentity {
  const trust: TokenProxyTrust = { type: 'file', file: file('proxy.crt') }
  return {
    type: 'workload',
    tenantId: '11111111-1111-1111-1111-111111111111',
    clientId: 'c1',
    tokenFile: file('token'),
    proxy: { url, serverName, trust, ...proxy },
  }
}

/** The token that the identity gets, or the error that a person reads. */
async function tokenOf(identity: WorkloadIdentity): Promise<string> {
  try {
    return (await credentialOf(identity, cloud).getToken(cloud.scope))?.token ?? ''
  } catch (thrown) {
    const { code, message } = identityFailure(identity, thrown)
    return `${code}: ${message}`
  }
}

test('the token is asked of the proxy, under its own name and trust, as of Entra', async () => {
  const pem = readFileSync(file('proxy.crt'), 'utf8')
  for (const proxy of [{}, { url: `${url}/base` }, { trust: { type: 'pem', pem } as const }]) {
    asked = []
    assert.equal(await tokenOf(identityBy(proxy)), 'a token')
    const base = proxy.url === undefined ? '' : '/base'
    assert.deepEqual(asked, [
      {
        path: `${base}/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token`,
        serverName,
        assertion: 'a ServiceAccount token',
        scope: 'https://vault.azure.net/.default',
      },
    ])
  }
})

test('the way to the Internet is not the way to the proxy', async () => {
  process.env.HTTPS_PROXY = 'http://127.0.0.1:1'
  try {
    assert.equal(await tokenOf(identityBy({})), 'a token')
    const straight = await tokenOf({ ...identityBy({}), proxy: undefined })
    assert.match(
      straight,
      /^IdentityUnavailable: .*: ECONNREFUSED — check the way from the cluster/,
    )
  } finally {
    delete process.env.HTTPS_PROXY
  }
})

test('a CA that was renewed in its file is taken up by the next request', async () => {
  const ca = file('renewed.crt')
  const identity = identityBy({ trust: { type: 'file', file: ca } })
  writeFileSync(ca, readFileSync(file('other.crt')))
  const credential = credentialOf(identity, cloud)
  await assert.rejects(credential.getToken(cloud.scope))
  writeFileSync(ca, readFileSync(file('proxy.crt')))
  assert.equal((await credential.getToken(cloud.scope))?.token, 'a token')
  writeFileSync(ca, '')
  assert.equal(
    (await credential.getToken('https://managedhsm.azure.net/.default'))?.token,
    'a token',
  )
})

test('what goes wrong at the proxy is told as such', async () => {
  const advice = `check the identity binding of the client, and the token proxy ${url}; tried again`
  const missing = file('missing.crt')
  for (const [proxy, expected] of [
    [
      { trust: { type: 'file', file: missing } },
      `IdentityUnavailable: cannot read AZURE_KUBERNETES_CA_FILE ${missing}: ENOENT — check that the ` +
        "controller's pod was changed by the azure-workload-identity webhook; tried again",
    ],
    [
      { trust: { type: 'file', file: file('other.crt') } },
      `DEPTH_ZERO_SELF_SIGNED_CERT — ${advice}`,
    ],
    [{ serverName: 'other.ests.aks' }, `ERR_TLS_CERT_ALTNAME_INVALID — ${advice}`],
  ] as const satisfies readonly (readonly [Partial<TokenProxy>, string])[]) {
    const told = await tokenOf(identityBy(proxy))
    assert.ok(told.startsWith('IdentityUnavailable: ') && told.endsWith(expected), told)
  }
  for (const [body, said] of [
    ['{}', '{}'],
    ['', ''],
    ['Forbidden: c1\nnot bound', 'Forbidden: c1'],
  ] as const) {
    answer = { status: 403, body }
    assert.equal(
      await tokenOf(identityBy({})),
      `IdentityRefused: the cluster's token proxy ${url} answered HTTP 403${said && ` ${said}`} — check ` +
        'that client c1 has an identity binding to this cluster, and that the ServiceAccount of the ' +
        "controller may use-managed-identity on it (workloadIdentity.identityBinding in the chart's values)",
    )
  }
  const refused = { error: 'invalid_client', error_description: 'AADSTS700211: No match.' }
  answer = { status: 401, body: JSON.stringify(refused) }
  assert.match(await tokenOf(identityBy({})), /^IdentityRefused: .* AADSTS700211 — /)
})

test("variables of the environment, as the webhook sets them and as it doesn't", () => {
  const proxy = 'https://kubernetes.default.svc'
  assert.equal(tokenProxy({}), undefined)
  assert.equal(tokenProxy({ url: '', serverName: '' }), undefined)
  const trust = { type: 'default' } as const
  assert.deepEqual(tokenProxy({ url: proxy }), { url: proxy, serverName: undefined, trust })
  assert.deepEqual(tokenProxy({ url: `${proxy}/x/`, serverName, caFile: '/ca' }), {
    url: `${proxy}/x`,
    serverName,
    trust: { type: 'file', file: '/ca' },
  })
  for (const [variables, what] of [
    [{ serverName }, 'is not set, but AZURE_KUBERNETES_SNI_NAME, _CA_FILE or _CA_DATA is'],
    [{ url: 'http://proxy' }, '"http://proxy" is no https URL without user, query and fragment'],
    [{ url: 'https://u@proxy' }, '"https://u@proxy" is no https URL'],
    [{ url: 'https://proxy?x' }, '"https://proxy?x" is no https URL'],
    [{ url: 'proxy' }, '"proxy" is no https URL'],
    [{ url: proxy, caFile: '/ca', caData: 'PEM' }, 'goes with one of AZURE_KUBERNETES_CA_FILE'],
  ] as const) {
    assert.throws(
      () => tokenProxy(variables),
      (error) =>
        error instanceof IssuerError &&
        error.code === 'IdentityRefused' &&
        error.message.startsWith(`AZURE_KUBERNETES_TOKEN_PROXY ${what}`),
    )
  }
})
