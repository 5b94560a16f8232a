/**
 * What a failed step means for whoever waits for it.
 *
 * - `never`: the same input fails again; only another input helps.
 * - `change`: an object somebody must edit (issuer, Secret, Azure role); looked at again on that
 *   change and at the slow re-probe.
 * - `backoff`: passing trouble; tried again after a growing, jittered delay.
 * - `conflict`: the object changed under us; read again and decide anew, at once.
 * - `stop`: this process must not go on with the step (shutdown, lease lost).
 */
export type RetryClass = 'never' | 'change' | 'backoff' | 'conflict' | 'stop'

/** The closed set of error codes and the retry class of each. Codes appear in conditions and metrics. */
export const retryClassByCode = {
  // What a stranger sent.
  RequestInvalid: 'never',
  PolicyRefused: 'never',

  // What an issuer says, or refers to.
  IssuerNotFound: 'change',
  IssuerNotReady: 'change',
  IssuerSuspended: 'change',
  SpecInvalid: 'change',
  VaultHostNotAllowed: 'change',
  ReferenceNotFound: 'change',
  ReferenceInvalid: 'change',
  CertificateInvalid: 'change',
  CertificateExpired: 'change',
  CertificateKeyMismatch: 'change',

  // What is delivered.
  /** Nothing that the issuer offers fits what is asked for. */
  CertificateNotOffered: 'change',
  /** Renewal is due, and Key Vault has nothing newer. */
  KeyVaultNotRotated: 'change',
  /** A request is not, or not any more, the one that its Certificate waits for. */
  RequestNotCurrent: 'change',

  // Entra.
  IdentityRefused: 'change',
  IdentityUnavailable: 'backoff',

  // Key Vault.
  VaultForbidden: 'change',
  VaultNotFound: 'change',
  VaultKeyUnusable: 'change',
  VaultRefused: 'change',
  VaultThrottled: 'backoff',
  VaultUnavailable: 'backoff',
  VaultAnswerInvalid: 'backoff',

  // API server.
  KubeNotFound: 'change',
  KubeForbidden: 'change',
  KubeInvalid: 'change',
  KubeConflict: 'conflict',
  KubeAlreadyExists: 'conflict',
  KubeExpired: 'backoff',
  KubeThrottled: 'backoff',
  KubeUnauthorized: 'backoff',
  KubeUnavailable: 'backoff',

  // Where a command was to write, or to read from.
  FileRefused: 'change',

  Aborted: 'stop',
  LeaseLost: 'stop',
  Internal: 'backoff',
} as const satisfies Record<string, RetryClass>

export type ErrorCode = keyof typeof retryClassByCode

export interface ErrorDetails {
  readonly cause?: unknown
  /** Milliseconds the other side asked us to wait before the next try. */
  readonly retryAfterMs?: number
}

/**
 * The one error of this program. `message` is fit for a status condition: what was seen, what was
 * expected, what to do. It never holds key material or tokens.
 */
export class IssuerError extends Error {
  override readonly name = 'IssuerError'
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.retryAfterMs = details.retryAfterMs
  }

  get retry(): RetryClass {
    return retryClassByCode[this.code]
  }
}

/** Anything thrown, as an `IssuerError`: itself, or `Aborted`, or `Internal` with the cause kept. */
export function issuerErrorFrom(thrown: unknown): IssuerError {
  if (thrown instanceof IssuerError) return thrown
  if (thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError')) {
    return new IssuerError('Aborted', 'the operation was stopped', { cause: thrown })
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new IssuerError('Internal', `internal error: ${message}`, { cause: thrown })
}

/** Fails for a defect of this program, as opposed to bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new IssuerError('Internal', `internal error: ${message}`)
}

/** Closes a `switch` over a union: a member that was forgotten does not compile. */
export function unreachable(value: never): never {
  throw new IssuerError('Internal', `internal error: unexpected ${JSON.stringify(value)}`)
}
