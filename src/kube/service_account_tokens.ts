import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import { isObject, objectAt, textAt } from '../json.ts'
import type { KubeClient } from './client.ts'
import { resourcePath } from './resource_path.ts'

/** A ServiceAccount as it was read; one of the same name that is made later is another. */
export interface ServiceAccount {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** What Entra takes; no issuer can say another, so no token is of use elsewhere in the cluster. */
const audience = 'api://AzureADTokenExchange'
const lifetimeSeconds = 3600
/** A token is made anew this long before its end, in milliseconds. */
const refreshMargin = 600_000

interface Kept {
  readonly token: string
  /** Milliseconds since the Unix epoch. */
  readonly expires: number
}

/**
 * Tokens of other ServiceAccounts, made by the API server (TokenRequest) and kept by the account's
 * UID: the Azure SDK asks for one twice for each token of Entra, also for one that it has.
 */
export class ServiceAccountTokens {
  readonly #kube: Pick<KubeClient, 'request'>
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()

  constructor(kube: Pick<KubeClient, 'request'>, clock: Clock) {
    this.#kube = kube
    this.#clock = clock
  }

  /** @throws IssuerError `KubeForbidden`, `ReferenceNotFound`, `IdentityUnavailable` */
  async token(account: ServiceAccount, signal: AbortSignal): Promise<string> {
    const soon = this.#clock.now() + refreshMargin
    const kept = this.#kept.get(account.uid)
    if (kept !== undefined && kept.expires > soon) return kept.token
    const made = await this.#request(account, signal)
    for (const [uid, { expires }] of this.#kept) if (expires <= soon) this.#kept.delete(uid)
    this.#kept.set(account.uid, made)
    return made.token
  }

  async #request({ namespace, name, uid }: ServiceAccount, signal: AbortSignal): Promise<Kept> {
    const path = resourcePath({
      group: '',
      version: 'v1',
      resource: 'serviceaccounts',
      namespace,
      name,
      subresource: 'token',
    })
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      // The API server refuses a request for an account that was made anew.
      metadata: { uid },
      spec: { audiences: [audience], expirationSeconds: lifetimeSeconds },
    }
    const answer = await this.#kube
      .request({ method: 'POST', path, body }, signal)
      .catch((error) => {
        throw failureOf(error, namespace, name)
      })
    const status = isObject(answer) ? objectAt(answer, 'status') : undefined
    const token = textAt(status, 'token')
    const expires = Date.parse(textAt(status, 'expirationTimestamp') ?? '')
    if (token !== undefined && !Number.isNaN(expires)) return { token, expires }
    throw new IssuerError(
      'IdentityUnavailable',
      `the API server gave no token for ServiceAccount "${name}" in namespace "${namespace}"; tried ` +
        'again',
    )
  }
}

/** What helps when the controller may not read a ServiceAccount or make its tokens. */
export function allowTokens(namespace: string, name: string): string {
  return (
    `let it by a Role in namespace "${namespace}" with get on serviceaccounts and create on ` +
    `serviceaccounts/token, both with resourceNames ["${name}"] (tokenRequest in the chart's values)`
  )
}

function failureOf(error: unknown, namespace: string, name: string): unknown {
  if (!(error instanceof IssuerError)) return error
  const account = `ServiceAccount "${name}" in namespace "${namespace}"`
  if (error.code === 'KubeForbidden') {
    return new IssuerError(
      'KubeForbidden',
      `the controller may not make tokens of ${account} — ${allowTokens(namespace, name)}`,
      { cause: error },
    )
  }
  if (error.code === 'KubeNotFound') {
    return new IssuerError('ReferenceNotFound', `${account} is gone — create it again`, {
      cause: error,
    })
  }
  if (error.code === 'KubeConflict') {
    return new IssuerError('IdentityUnavailable', `${account} was made anew; tried again`, {
      cause: error,
    })
  }
  return error
}
