import type { AccessToken, TokenCredential } from '@azure/identity'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import type { Cloud } from './cloud.ts'

/** A token is fetched anew this long before its end, in milliseconds. */
const refreshMargin = 300_000
/** After a failed refresh a token that is still good serves on; the next try comes no sooner. */
const refreshPause = 30_000
const fetchTimeout = 30_000

/** Whom tokens are for. */
export interface TokenHolder {
  /** As `client 1b4e…`, for messages. */
  readonly who: string
  /** The error for a token that was not had. */
  failure(thrown: unknown): IssuerError
}

/**
 * Access tokens of one identity: one fetch at a time, shared by all who wait, kept until shortly
 * before its end. A signature then costs no call to Entra.
 */
export class TokenSource {
  readonly #holder: TokenHolder
  readonly #credential: TokenCredential
  readonly #scope: string
  readonly #clock: Clock
  #current: AccessToken | undefined
  #fetching: Promise<AccessToken> | undefined
  #notBefore = 0

  constructor(holder: TokenHolder, credential: TokenCredential, cloud: Cloud, clock: Clock) {
    this.#holder = holder
    this.#credential = credential
    this.#scope = cloud.scope
    this.#clock = clock
  }

  /** Whom the tokens are for, in words. */
  get who(): string {
    return this.#holder.who
  }

  /**
   * A token that Entra has not let expire.
   *
   * @throws IssuerError `IdentityRefused`, `IdentityUnavailable`
   */
  async token(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    const current = this.#current
    const now = this.#clock.now()
    if (current !== undefined && current.expiresOnTimestamp - refreshMargin > now) {
      return current.token
    }
    const stillGood = current !== undefined && current.expiresOnTimestamp > now
    if (stillGood && now < this.#notBefore) return current.token
    try {
      return (await abortable(this.#fetch(undefined), signal)).token
    } catch (error) {
      signal.throwIfAborted()
      if (!stillGood) throw error
      return current.token
    }
  }

  /**
   * A new token after the vault refused `rejected`, with the claims it asked for (continuous access
   * evaluation). A token that another caller got meanwhile is taken.
   */
  async replace(
    rejected: string,
    claims: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const current = this.#current
    if (current !== undefined && current.token !== rejected) return current.token
    this.#current = undefined
    return (await abortable(this.#fetch(claims), signal)).token
  }

  /** The same tokens for the Azure SDK's clients. */
  asCredential(): TokenCredential {
    return {
      getToken: async (_scopes, options) => {
        const signal = AbortSignal.timeout(fetchTimeout)
        const token = options?.claims
          ? await this.replace(this.#current?.token ?? '', options.claims, signal)
          : await this.token(signal)
        return { token, expiresOnTimestamp: this.#current?.expiresOnTimestamp ?? 0 }
      },
    }
  }

  #fetch(claims: string | undefined): Promise<AccessToken> {
    this.#fetching ??= this.#request(claims).finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #request(claims: string | undefined): Promise<AccessToken> {
    this.#notBefore = this.#clock.now() + refreshPause
    try {
      const token = await this.#credential.getToken(this.#scope, {
        abortSignal: AbortSignal.timeout(fetchTimeout),
        enableCae: true,
        ...(claims === undefined ? {} : { claims }),
      })
      if (token === null) throw new Error('Entra returned no token')
      this.#current = token
      return token
    } catch (error) {
      throw error instanceof IssuerError ? error : this.#holder.failure(error)
    }
  }
}

/** `promise`, given up by this caller alone when its signal is aborted. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    promise.finally(() => signal.removeEventListener('abort', giveUp)).then(resolve, reject)
  })
}
