import { readFile, stat } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { KubeConfig } from '@kubernetes/client-node'
import { IssuerError } from '../error.ts'

/** What a connection to the API server needs: where, whom to trust, who we are. */
export interface Credentials {
  /** `https://host:port`, with a path when the server sits behind a gateway such as Rancher. */
  readonly server: URL
  /** The namespace of the kubeconfig's context, or of our own pod. */
  readonly namespace: string | undefined
  /** Sent with each call. */
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> & { readonly servername?: string }
  /** An `http:` or `https:` forward proxy. */
  readonly proxy: string | undefined
}

/**
 * Reads credentials from where they are kept. `fresh` is asked for after the server refused the last
 * ones: nothing remembered may be used then.
 */
export interface CredentialSource {
  /** For messages. */
  readonly origin: string
  read(fresh: boolean): Promise<Credentials>
}

/**
 * The source: the kubeconfig named, else the pod's ServiceAccount, else `$KUBECONFIG` or
 * `~/.kube/config`.
 *
 * @param context of the kubeconfig, in place of its current one; a pod has none
 */
export async function credentialSource(
  kubeconfig: string | undefined,
  context?: string,
): Promise<CredentialSource> {
  if (kubeconfig !== undefined || context !== undefined) {
    return new KubeconfigSource(kubeconfig, context)
  }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  if (host && port && (await modified(`${serviceAccountDirectory}/token`)) !== undefined) {
    return serviceAccountSource(host, port, serviceAccountDirectory)
  }
  return new KubeconfigSource(undefined, undefined)
}

/**
 * A pod's own ServiceAccount. Read without client-node, whose import costs 55 MB and half a second
 * to open these three files.
 */
export function serviceAccountSource(
  host: string,
  port: string,
  directory: string,
): CredentialSource {
  const server = new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`)
  return {
    origin: `the ServiceAccount in ${directory}`,
    async read() {
      const [token, ca, namespace] = await Promise.all([
        readFile(`${directory}/token`, 'utf8'),
        readFile(`${directory}/ca.crt`, 'utf8'),
        readFile(`${directory}/namespace`, 'utf8').catch(() => ''),
      ])
      return {
        server,
        namespace: namespace.trim() || undefined,
        headers: { authorization: `Bearer ${token.trim()}` },
        tls: { ca },
        proxy: undefined,
      }
    },
  }
}

/** Kubeconfig files, by client-node: client certificates, token files, exec plugins. */
class KubeconfigSource implements CredentialSource {
  readonly origin: string
  readonly #path: string | undefined
  readonly #context: string | undefined
  #loaded: { readonly config: KubeConfig; readonly at: number | undefined } | undefined

  constructor(path: string | undefined, context: string | undefined) {
    this.#path = path
    this.#context = context
    this.origin = path === undefined ? 'the default kubeconfig' : `kubeconfig ${path}`
  }

  async read(fresh: boolean): Promise<Credentials> {
    try {
      return await this.#read(fresh)
    } catch (cause) {
      if (cause instanceof IssuerError) throw cause
      const said = cause instanceof Error ? cause.message : String(cause)
      throw new IssuerError('ReferenceInvalid', `${this.origin} is not usable: ${said}`, { cause })
    }
  }

  async #read(fresh: boolean): Promise<Credentials> {
    const at = this.#path === undefined ? undefined : await modified(this.#path)
    if (fresh || this.#loaded === undefined || this.#loaded.at !== at) {
      this.#loaded = { config: await load(this.#path, this.#context), at }
    }
    const { config } = this.#loaded
    const cluster = config.getCurrentCluster()
    // What client-node makes up where it finds nothing.
    if (this.#path === undefined && cluster?.server === 'http://localhost:8080') {
      throw new Error('there is none, neither by KUBECONFIG nor in ~/.kube/config')
    }
    if (!cluster?.server) throw new Error('its current context names no cluster')
    if (cluster.skipTLSVerify) {
      throw new Error(
        'insecure-skip-tls-verify is not supported: give the CA in certificate-authority-data',
      )
    }
    const server = new URL(cluster.server)
    if (server.protocol !== 'https:') throw new Error(`its server ${server} is not https`)
    if (cluster.proxyUrl && !/^https?:/.test(cluster.proxyUrl)) {
      throw new Error(`its proxy-url ${cluster.proxyUrl} is not supported: only http and https are`)
    }
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    const { ca, cert, key, servername } = options
    return {
      server,
      namespace: config.getContextObject(config.getCurrentContext())?.namespace,
      headers: headersOf(options),
      tls: {
        ...(ca && { ca }),
        ...(cert && { cert }),
        ...(key && { key }),
        ...(servername && { servername }),
      },
      proxy: cluster.proxyUrl,
    }
  }
}

async function load(path: string | undefined, context: string | undefined): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  if (path === undefined) config.loadFromDefault()
  else config.loadFromFile(path)
  if (context !== undefined) {
    if (config.getContextObject(context) === null) throw new Error(`it has no context "${context}"`)
    config.setCurrentContext(context)
  }
  return config
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    headers[name.toLowerCase()] = String(value).trim()
  }
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
  return headers
}

async function modified(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs
  } catch {
    return undefined
  }
}

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'
