import { type Dispatcher, request as httpRequest } from 'undici'
import type { Clock } from '../clock.ts'
import { isObject, type JsonObject, objectAt, textAt } from '../json.ts'
import type { VaultLocation } from './cloud.ts'
import {
  parseRetryAfter,
  type VaultAction,
  type VaultAnswer,
  vaultFailure,
  vaultUnreachable,
} from './failure.ts'
import type { TokenSource } from './token_source.ts'

/** What every call to a vault needs. */
export interface RestDeps {
  readonly location: VaultLocation
  readonly tokens: TokenSource
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** See `KeyVaultOptions`. */
  readonly assertLeader: () => void
}

export interface RestCall {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** As `/keys/ca/…/sign`, with no query. */
  readonly path: string
  readonly body?: JsonObject
  /** For the error. */
  readonly action: VaultAction
}

export const apiVersion = '2025-07-01'
/** Key Vault's largest object, a secret, is 25,600 octets; more is not from Key Vault. */
const maxAnswerBytes = 65_536

/**
 * One request, never repeated by itself, since some make something each time. Only a refused token
 * costs a second one, with a new token: what it was refused for did not happen.
 *
 * @throws IssuerError of the vault or of Entra
 */
export async function callVault(
  deps: RestDeps,
  call: RestCall,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { tokens } = deps
  const token = await tokens.token(signal)
  const first = await send(deps, call, token, signal)
  if (first.answer?.status !== 401) return bodyOf(call, first)
  const replaced = await tokens.replace(token, claimsChallenge(first.challenge), signal)
  return bodyOf(call, await send(deps, call, replaced, signal))
}

type Reply =
  | { readonly answer: undefined; readonly body: JsonObject; readonly challenge: '' }
  | { readonly answer: VaultAnswer; readonly body: undefined; readonly challenge: string }

async function send(
  { location, dispatcher, clock, assertLeader }: RestDeps,
  { method, path, body, action }: RestCall,
  token: string,
  signal: AbortSignal,
): Promise<Reply> {
  // Waiting for a place or a token may have taken longer than the lease.
  assertLeader()
  let response: Dispatcher.ResponseData
  let text: string
  try {
    response = await httpRequest(`${location.url}${path}?api-version=${apiVersion}`, {
      method,
      dispatcher,
      signal,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    text = await readText(response)
  } catch (error) {
    throw vaultUnreachable(action, error)
  }
  const answered = parseJson(text)
  if (response.statusCode === 200) return { answer: undefined, body: answered ?? {}, challenge: '' }
  const error = objectAt(answered, 'error')
  const header = (name: string) => {
    const sent = response.headers[name]
    return (Array.isArray(sent) ? sent[0] : sent) ?? ''
  }
  return {
    answer: {
      status: response.statusCode,
      code: textAt(error, 'code') ?? '',
      innerCode: textAt(objectAt(error, 'innererror'), 'code') ?? '',
      message: textAt(error, 'message') ?? '',
      retryAfterMs: parseRetryAfter(header('retry-after'), clock.now()),
      requestId: header('x-ms-request-id'),
      networkInfo: header('x-ms-keyvault-network-info'),
    },
    body: undefined,
    challenge: header('www-authenticate'),
  }
}

function bodyOf({ action }: RestCall, reply: Reply): JsonObject {
  if (reply.answer !== undefined) throw vaultFailure(action, reply.answer)
  return reply.body
}

async function readText(response: Dispatcher.ResponseData): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body) {
    if (!(chunk instanceof Uint8Array)) continue
    length += chunk.length
    if (length > maxAnswerBytes)
      throw new Error(`the answer is longer than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The claims of a continuous-access-evaluation challenge, decoded as MSAL wants them. */
function claimsChallenge(challenge: string): string | undefined {
  const encoded = /claims="([^"]+)"/.exec(challenge)?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
}
