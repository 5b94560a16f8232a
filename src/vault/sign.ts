import { type Dispatcher, request as httpRequest } from 'undici'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import { isObject, type JsonObject, objectAt, textAt } from '../json.ts'
import type { VaultLocation } from './cloud.ts'
import {
  parseRetryAfter,
  type VaultAction,
  type VaultAnswer,
  type VaultRight,
  vaultFailure,
  vaultUnreachable,
} from './failure.ts'
import type { TokenSource } from './token_source.ts'
import type { SignRequest } from './vault.ts'

export interface SignCall {
  readonly location: VaultLocation
  readonly tokens: TokenSource
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** See `KeyVaultOptions`. */
  readonly assertLeader: () => void
  readonly request: SignRequest
  readonly signal: AbortSignal
}

const signWithKey: VaultRight = {
  role: 'Key Vault Crypto User',
  dataAction: 'Microsoft.KeyVault/vaults/keys/sign/action',
  accessPolicy: '"sign" for keys',
}

const apiVersion = '2025-07-01'
/** An error body or a signature is far smaller; more is not from Key Vault. */
const maxAnswerBytes = 65_536

/**
 * `POST /keys/{name}/{version}/sign`: one request for one signature. Only a refused token costs a
 * second one, with a new token (a signature changes nothing in the vault, so repeating is harmless).
 */
export async function postSign(call: SignCall): Promise<Uint8Array> {
  const { tokens, signal } = call
  const token = await tokens.token(signal)
  const first = await post(call, token)
  if (first.answer?.status !== 401) return signatureOf(call, first)
  const replaced = await tokens.replace(token, claimsChallenge(first.challenge), signal)
  return signatureOf(call, await post(call, replaced))
}

type Reply =
  | { readonly answer: undefined; readonly body: JsonObject | undefined; readonly challenge: '' }
  | { readonly answer: VaultAnswer; readonly body: undefined; readonly challenge: string }

async function post(call: SignCall, token: string): Promise<Reply> {
  const { location, dispatcher, clock, request, signal } = call
  const path = `/keys/${request.key.name}/${request.key.version}/sign?api-version=${apiVersion}`
  const value = Buffer.from(request.digest).toString('base64url')
  // Waiting for a place or a token may have taken longer than the lease.
  call.assertLeader()
  let response: Dispatcher.ResponseData
  let text: string
  try {
    response = await httpRequest(location.url + path, {
      method: 'POST',
      dispatcher,
      signal,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ alg: request.algorithm, value }),
    })
    text = await readText(response)
  } catch (error) {
    throw vaultUnreachable(actionOf(call), error)
  }
  const body = parseJson(text)
  if (response.statusCode === 200) return { answer: undefined, body, challenge: '' }
  const error = objectAt(body, 'error')
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

function signatureOf(call: SignCall, reply: Reply): Uint8Array {
  if (reply.answer !== undefined) throw vaultFailure(actionOf(call), reply.answer)
  const { key } = call.request
  const kid = textAt(reply.body, 'kid')
  const value = textAt(reply.body, 'value')
  // Another version's signature would not fit the CA certificate; identifiers compare without case.
  const expected = `${call.location.url}/keys/${key.name}/${key.version}`
  if (kid?.toLowerCase() !== expected.toLowerCase()) {
    throw new IssuerError(
      'VaultAnswerInvalid',
      `Key Vault signed with ${kid ?? 'a key it does not name'}, expected ${expected}`,
    )
  }
  if (value === undefined || !/^[A-Za-z0-9_-]+$/.test(value)) {
    throw new IssuerError(
      'VaultAnswerInvalid',
      `Key Vault's answer to sign with ${expected} holds no base64url signature`,
    )
  }
  return new Uint8Array(Buffer.from(value, 'base64url'))
}

function actionOf({ location, tokens, request }: SignCall): VaultAction {
  return {
    what: `sign with key "${request.key.name}"`,
    vaultUrl: location.url,
    who: tokens.who,
    right: signWithKey,
    object: `key "${request.key.name}" with version ${request.key.version}`,
    ifRefused:
      `name a key that can sign by ${request.algorithm}, which follows from the CA certificate and ` +
      'spec.ca.signatureAlgorithm, or the certificate that was made for this key',
  }
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
