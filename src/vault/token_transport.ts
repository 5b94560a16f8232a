import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline'
import type { TokenCredential } from '@azure/identity'

/** Straight to Entra, or through the proxy that the environment names. */
export const straight: HttpClient = createDefaultHttpClient()

/**
 * A credential over a transport. What it throws has the failure of the transport as its cause, which
 * msal itself throws away: all it tells is `network_error`. It is for one caller at a time.
 */
export function credentialOver<Options extends object>(
  transport: HttpClient,
  options: Options,
  make: (options: Options & { readonly httpClient: HttpClient }) => TokenCredential,
): TokenCredential {
  let failure: unknown
  const httpClient: HttpClient = {
    async sendRequest(request) {
      try {
        return await transport.sendRequest(request)
      } catch (thrown) {
        failure = thrown
        throw thrown
      }
    },
  }
  const credential = make({ ...options, httpClient })
  return {
    async getToken(scopes, asked) {
      failure = undefined
      return await credential.getToken(scopes, asked).catch((thrown: unknown) => {
        throw failure === undefined ? thrown : causedBy(failure, thrown)
      })
    },
  }
}

function causedBy(cause: unknown, thrown: unknown): Error {
  return new Error(thrown instanceof Error ? thrown.message : String(thrown), { cause })
}
