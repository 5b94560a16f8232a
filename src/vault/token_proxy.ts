import { readFile } from 'node:fs/promises'
import type { HttpClient } from '@azure/core-rest-pipeline'
import { IssuerError } from '../error.ts'
import { firstLine, systemCode } from './failure.ts'
import { straight } from './token_transport.ts'

/**
 * The proxy of an AKS cluster with identity bindings. It is asked for tokens in place of Entra, by the
 * same requests, with a ServiceAccount token that Entra itself would not take.
 */
export interface TokenProxy {
  /** https, without user, query and fragment; a path is put before that of each request. */
  readonly url: string
  /** What the proxy is asked for by TLS, and has in its certificate, when that is not its host. */
  readonly serverName: string | undefined
  readonly trust: TokenProxyTrust
}

export type TokenProxyTrust =
  | { readonly type: 'default' }
  | { readonly type: 'file'; readonly file: string }
  | { readonly type: 'pem'; readonly pem: string }

/**
 * What the azure-workload-identity webhook sets on a pod with the annotation
 * `azure.workload.identity/use-identity-binding`; names and meaning as in the SDK's
 * WorkloadIdentityCredential. An empty one is as good as none.
 */
export interface TokenProxyVariables {
  /** AZURE_KUBERNETES_TOKEN_PROXY */
  readonly url?: string | undefined
  /** AZURE_KUBERNETES_SNI_NAME */
  readonly serverName?: string | undefined
  /** AZURE_KUBERNETES_CA_FILE */
  readonly caFile?: string | undefined
  /** AZURE_KUBERNETES_CA_DATA */
  readonly caData?: string | undefined
}

export function tokenProxyVariables(env: NodeJS.ProcessEnv): TokenProxyVariables {
  return {
    url: env.AZURE_KUBERNETES_TOKEN_PROXY,
    serverName: env.AZURE_KUBERNETES_SNI_NAME,
    caFile: env.AZURE_KUBERNETES_CA_FILE,
    caData: env.AZURE_KUBERNETES_CA_DATA,
  }
}

/** @throws IssuerError `IdentityRefused` for what cannot be meant */
export function tokenProxy(variables: TokenProxyVariables): TokenProxy | undefined {
  const { url: text, caFile: file, caData: pem } = variables
  const serverName = variables.serverName || undefined
  if (!text) {
    if (!serverName && !file && !pem) return undefined
    throw refused('is not set, but AZURE_KUBERNETES_SNI_NAME, _CA_FILE or _CA_DATA is')
  }
  const url = URL.parse(text)
  const isPlain = url?.username === '' && url.password === '' && !url.search && !url.hash
  if (url?.protocol !== 'https:' || !isPlain) {
    throw refused(`"${text}" is no https URL without user, query and fragment`)
  }
  if (file && pem) throw refused('goes with one of AZURE_KUBERNETES_CA_FILE and _CA_DATA, not both')
  const trust: TokenProxyTrust = file
    ? { type: 'file', file }
    : pem
      ? { type: 'pem', pem }
      : { type: 'default' }
  return { url: url.href.replace(/\/$/, ''), serverName, trust }
}

/** Sends every request of the client to the proxy, by the path and query it would have had at Entra. */
export function throughProxy(proxy: TokenProxy, clientId: string): HttpClient {
  // Connections are kept by this object, and so it changes only as the CA does.
  let tlsSettings = tlsBy(proxy, proxy.trust.type === 'pem' ? proxy.trust.pem : undefined)
  return {
    async sendRequest(request) {
      if (proxy.trust.type === 'file') {
        const ca = await readCa(proxy.trust.file)
        // An empty file is one that is being written.
        if (ca !== '' && ca !== tlsSettings.ca) tlsSettings = tlsBy(proxy, ca)
      }
      const { pathname, search } = new URL(request.url)
      const { agent: _agent, proxySettings: _proxySettings, ...plain } = request
      const response = await straight.sendRequest({
        // Without the way to the Internet: the proxy stands in the cluster.
        ...plain,
        url: `${proxy.url}${pathname}${search}`,
        tlsSettings,
      })
      const text = response.bodyAsText ?? ''
      const isOwnRefusal = [401, 403].includes(response.status) && !text.includes('AADSTS')
      if (isOwnRefusal) {
        throw refusedBy(proxy, clientId, `HTTP ${response.status} ${firstLine(text)}`.trim())
      }
      return response
    },
  }
}

function tlsBy({ serverName }: TokenProxy, ca: string | undefined) {
  return {
    ...(ca !== undefined && { ca }),
    ...(serverName !== undefined && { servername: serverName }),
  }
}

async function readCa(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new IssuerError(
      'IdentityUnavailable',
      `cannot read AZURE_KUBERNETES_CA_FILE ${file}: ${systemCode(cause) ?? 'unreadable'} — check that ` +
        "the controller's pod was changed by the azure-workload-identity webhook; tried again",
      { cause },
    )
  }
}

/** Not in the words of Entra, and so not Entra's. */
function refusedBy({ url }: TokenProxy, clientId: string, said: string): IssuerError {
  return new IssuerError(
    'IdentityRefused',
    `the cluster's token proxy ${url} answered ${said} — check that client ${clientId} has an identity ` +
      'binding to this cluster, and that the ServiceAccount of the controller may use-managed-identity ' +
      "on it (workloadIdentity.identityBinding in the chart's values)",
  )
}

function refused(what: string): IssuerError {
  return new IssuerError(
    'IdentityRefused',
    `AZURE_KUBERNETES_TOKEN_PROXY ${what} — leave these variables to the azure-workload-identity ` +
      'webhook, which sets them on pods with azure.workload.identity/use-identity-binding: "true"',
  )
}
