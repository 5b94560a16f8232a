import type { AccessToken, TokenCredential } from '@azure/identity'
import { Client } from 'undici'
import { IssuerError } from '../error.ts'
import { isObject, type JsonObject, textAt } from '../json.ts'
import { firstLine, systemCode } from './failure.ts'

/** Link-local: the host answers, and it is never reached through a proxy. */
const metadataService = 'http://169.254.169.254'
/** Milliseconds. */
const timeout = 15_000

/** As `the managed identity with client id 1b4e…`. */
export function managedName(clientId: string | undefined): string {
  return clientId === undefined
    ? "the node's managed identity"
    : `the managed identity with client id ${clientId}`
}

/**
 * Tokens of a managed identity of the machine, from Azure's metadata service for virtual machines.
 *
 * Not the SDK's ManagedIdentityCredential: beside AZURE_FEDERATED_TOKEN_FILE, which the
 * azure-workload-identity webhook sets on every pod of ours, that exchanges the pod's own token and
 * so is another identity than the one asked for.
 */
export class ManagedIdentity implements TokenCredential {
  readonly #clientId: string | undefined

  /** @param clientId chooses among several; without it the machine's own, or its only one */
  constructor(clientId: string | undefined) {
    this.#clientId = clientId
  }

  /** @throws IssuerError `IdentityRefused`, `IdentityUnavailable` */
  async getToken(scopes: string | string[]): Promise<AccessToken> {
    const resource = String(scopes).replace(/\/\.default$/, '')
    const { status, body } = await this.#ask(resource, AbortSignal.timeout(timeout))
    const token = textAt(body, 'access_token')
    const expiresOn = Number(textAt(body, 'expires_on'))
    if (status === 200 && token !== undefined && expiresOn > 0) {
      return { token, expiresOnTimestamp: expiresOn * 1000 }
    }
    const who = managedName(this.#clientId)
    const said = firstLine(textAt(body, 'error_description') ?? `HTTP ${status}`)
    if (status === 400 || status === 403) {
      throw new IssuerError(
        'IdentityRefused',
        `the node's metadata service gave no token for ${who}: ${said} — assign the identity to ` +
          'the scale set of the node pool, and name it by spec.identity.managed.clientId',
      )
    }
    throw this.#unavailable(said)
  }

  async #ask(
    resource: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: JsonObject | undefined }> {
    const client = new Client(metadataService)
    try {
      const { statusCode, body } = await client.request({
        method: 'GET',
        path: '/metadata/identity/oauth2/token',
        query: {
          'api-version': '2018-02-01',
          resource,
          ...(this.#clientId !== undefined && { client_id: this.#clientId }),
        },
        headers: { metadata: 'true' },
        signal,
      })
      const parsed: unknown = JSON.parse(await body.text())
      return { status: statusCode, body: isObject(parsed) ? parsed : undefined }
    } catch (thrown) {
      const text = thrown instanceof SyntaxError ? 'its answer is not JSON' : String(thrown)
      throw this.#unavailable(systemCode(thrown) ?? firstLine(text), thrown)
    } finally {
      await client.destroy()
    }
  }

  #unavailable(what: string, cause?: unknown): IssuerError {
    return new IssuerError(
      'IdentityUnavailable',
      `could not get a token for ${managedName(this.#clientId)} from ${metadataService}: ${what} — ` +
        'only machines of Azure have this service; check that no network policy closes port 80 to ' +
        'it; tried again',
      { cause },
    )
  }
}
