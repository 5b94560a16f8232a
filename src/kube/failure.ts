import { type ErrorCode, IssuerError } from '../error.ts'
import { isObject, type JsonObject, numberAt, objectAt, textAt } from '../json.ts'
import { describeCall, type KubeCall } from './call.ts'

/**
 * The error for an answer outside 2xx. `body` is the text of the answer: a `Status` of the API
 * server, or whatever a proxy in between had to say.
 */
export function failureFromAnswer(
  call: KubeCall,
  httpStatus: number,
  retryAfter: string | undefined,
  body: string,
): IssuerError {
  const status = parseStatus(body)
  return failure(call, httpStatus, status, status === undefined ? body : undefined, retryAfter)
}

/** The error for an `ERROR` event inside a watch, whose object is a `Status`. */
export function failureFromStatus(call: KubeCall, status: JsonObject): IssuerError {
  return failure(call, numberAt(status, 'code') ?? 500, status, undefined, undefined)
}

/** The error for a call that brought no whole answer: no connection, TLS, timeout, broken off. */
export function failureFromThrown(call: KubeCall, server: string, thrown: unknown): IssuerError {
  if (thrown instanceof IssuerError) return thrown
  const code = systemCode(thrown)
  const said = thrown instanceof Error ? thrown.message : String(thrown)
  const cause = code === undefined || said.includes(code) ? said : `${code}: ${said}`
  const advice = code === undefined ? undefined : adviceByCode.get(code)
  return new IssuerError(
    'KubeUnavailable',
    `${describeCall(call)} got no answer from ${server}: ${cause}${advice ? `; ${advice}` : ''}`,
    { cause: thrown },
  )
}

/** An answer bigger than the transport takes; a list may ask for smaller pages. */
export function isTooLarge(error: IssuerError): boolean {
  return systemCode(error.cause) === 'UND_ERR_RES_EXCEEDED_MAX_SIZE'
}

/** An answer that stopped half-way: of a watch, that not even a bookmark came for longer than it may. */
export function isSilence(error: IssuerError): boolean {
  return systemCode(error.cause) === 'UND_ERR_BODY_TIMEOUT'
}

/** What a stopped call throws: the reason given for the stop when it is one of ours. */
export function stoppedBy(signal: AbortSignal): IssuerError {
  const reason: unknown = signal.reason
  if (reason instanceof IssuerError) return reason
  return new IssuerError('Aborted', 'the operation was stopped', { cause: reason })
}

function failure(
  call: KubeCall,
  httpStatus: number,
  status: JsonObject | undefined,
  text: string | undefined,
  retryAfter: string | undefined,
): IssuerError {
  const reason = textAt(status, 'reason')
  const said = textAt(status, 'message') ?? text?.trim().slice(0, textLimit)
  const retryAfterMs = retryAfterMsOf(status, retryAfter)
  const message = `${describeCall(call)} failed: ${[httpStatus, reason].filter(Boolean).join(' ')}`
  return new IssuerError(
    codeOf(httpStatus, reason),
    said ? `${message}: ${said.slice(0, messageLimit)}` : message,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  )
}

const messageLimit = 1024
const textLimit = 256

function parseStatus(body: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    return isObject(parsed) && parsed.kind === 'Status' ? parsed : undefined
  } catch {
    return undefined
  }
}

function codeOf(httpStatus: number, reason: string | undefined): ErrorCode {
  if (reason === 'AlreadyExists') return 'KubeAlreadyExists'
  const exact = codeByStatus.get(httpStatus)
  if (exact) return exact
  return httpStatus >= 400 && httpStatus < 500 ? 'KubeInvalid' : 'KubeUnavailable'
}

// Statuses as in k8s.io/apimachinery pkg/api/errors; what is not here goes by its class.
const codeByStatus: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [401, 'KubeUnauthorized'],
  [403, 'KubeForbidden'],
  [404, 'KubeNotFound'],
  [408, 'KubeUnavailable'],
  [409, 'KubeConflict'],
  [410, 'KubeExpired'],
  [429, 'KubeThrottled'],
])

// The API server gives whole seconds, in both places; a date would be a proxy's.
function retryAfterMsOf(
  status: JsonObject | undefined,
  header: string | undefined,
): number | undefined {
  const fromBody = numberAt(objectAt(status, 'details'), 'retryAfterSeconds')
  const seconds = fromBody ?? (header !== undefined && /^\d{1,6}$/.test(header) ? +header : 0)
  return seconds > 0 ? seconds * 1000 : undefined
}

function systemCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined
  const code: unknown = Reflect.get(thrown, 'code')
  return typeof code === 'string' ? code : undefined
}

const unknownAuthority =
  "the server's certificate was not issued by the CA of this kubeconfig or ServiceAccount"

const adviceByCode: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there'],
  ['ENOTFOUND', 'the host name does not resolve'],
  ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time'],
  ['UND_ERR_HEADERS_TIMEOUT', 'no answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'the answer stopped half-way'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', unknownAuthority],
  ['SELF_SIGNED_CERT_IN_CHAIN', unknownAuthority],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', unknownAuthority],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', unknownAuthority],
  ['CERT_SIGNATURE_FAILURE', unknownAuthority],
])
