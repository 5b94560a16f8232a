import { type ErrorCode, IssuerError } from '../error.ts'

/** What Key Vault said when it did not do what was asked. */
export interface VaultAnswer {
  readonly status: number
  /** Outer code of the error body, as `Forbidden`. */
  readonly code: string
  /** Code of `innererror`, as `ForbiddenByRbac`; empty when absent. */
  readonly innerCode: string
  readonly message: string
  readonly retryAfterMs: number | undefined
  /** `x-ms-request-id`: what Azure support asks for. */
  readonly requestId: string
  /** `x-ms-keyvault-network-info`: the client address that the vault saw. */
  readonly networkInfo: string
}

/** What was being done, in words for a message. */
export interface VaultAction {
  /** As `sign with key "ca"`. */
  readonly what: string
  readonly vaultUrl: string
  /** Who asked, as `client 1b4e…`. */
  readonly who: string
  /** What a role or an access policy must give for it. */
  readonly right: VaultRight
  /** The kind of object and its name, as `key "ca" with version …`. */
  readonly object: string
  /** What helps when the vault finds the call itself wrong. */
  readonly ifRefused: string
}

/** A right in the words of Azure's two ways to give it. */
export interface VaultRight {
  /** The narrowest role that Azure has for it. */
  readonly role: string
  readonly dataAction: string
  /** As `"sign" for keys`. */
  readonly accessPolicy: string
  /** Where the role is given, when that is not the vault. */
  readonly where?: string
}

interface Reading {
  readonly code: ErrorCode
  readonly advice: (action: VaultAction, answer: VaultAnswer) => string
}

const grantRole = ({ who, right }: VaultAction) =>
  `grant ${who} the role "${right.role}", or one with the data action ` +
  `${right.dataAction}, ${right.where ?? 'on the vault'}; a new role assignment takes some minutes to work`

const grantPolicy = ({ who, right }: VaultAction) =>
  `give ${who} the permission ${right.accessPolicy} in the access policies of the vault`

const allowNetwork = (_: VaultAction, { networkInfo }: VaultAnswer) =>
  `allow the cluster in the vault's firewall or use a private endpoint${
    networkInfo === '' ? '' : ` (the vault saw ${networkInfo})`
  }`

const lookForIt = ({ object }: VaultAction) =>
  `check that the ${object} is in this vault and not deleted, and that it is spelled right`

const correctTheCall = ({ ifRefused }: VaultAction) => ifRefused

const unusable = (what: (object: string) => string): Reading => ({
  code: 'VaultKeyUnusable',
  advice: ({ object }) => what(object),
})

/** Read first: the inner code says more than the HTTP status (both recorded from the service). */
const readingByInnerCode: ReadonlyMap<string, Reading> = new Map([
  ['AccessDenied', { code: 'VaultForbidden', advice: grantPolicy }],
  ['ForbiddenByPolicy', { code: 'VaultForbidden', advice: grantPolicy }],
  ['ForbiddenByRbac', { code: 'VaultForbidden', advice: grantRole }],
  ['ForbiddenByFirewall', { code: 'VaultForbidden', advice: allowNetwork }],
  ['ForbiddenByConnection', { code: 'VaultForbidden', advice: allowNetwork }],
  ['KeyDisabled', unusable((key) => `enable the ${key}, or name a version that may be used`)],
  ['KeyExpired', unusable((key) => `give the ${key} a later expiry date, or name a valid version`)],
  ['KeyNotYetValid', unusable((key) => `wait for the activation date of the ${key}, or change it`)],
  ['KeyOperationForbidden', unusable((key) => `permit the operation "sign" for the ${key}`)],
  ['SecretDisabled', unusable((secret) => `enable the ${secret}`)],
])

const readingByStatus: ReadonlyMap<number, Reading> = new Map([
  [400, { code: 'VaultRefused', advice: correctTheCall }],
  [
    401,
    {
      code: 'IdentityRefused',
      advice: () => "the vault did not accept the token: check that its tenant is the vault's",
    },
  ],
  [403, { code: 'VaultForbidden', advice: grantRole }],
  [404, { code: 'VaultNotFound', advice: lookForIt }],
  [409, { code: 'VaultRefused', advice: () => 'the object is being changed or deleted' }],
  [429, { code: 'VaultThrottled', advice: () => 'the vault asks for fewer calls; tried again' }],
])

const unavailable: Reading = {
  code: 'VaultUnavailable',
  advice: () => 'Key Vault is in trouble; tried again',
}

/** The error for an answer that is no success. */
export function vaultFailure(action: VaultAction, answer: VaultAnswer, cause?: unknown) {
  const reading =
    readingByInnerCode.get(answer.innerCode) ?? readingByStatus.get(answer.status) ?? unavailable
  const code = answer.innerCode === '' ? answer.code : `${answer.code}/${answer.innerCode}`
  const said = answer.message === '' ? '' : `: ${gist(answer.message)}`
  return new IssuerError(
    reading.code,
    `could not ${action.what} at ${action.vaultUrl}: HTTP ${answer.status} ${code}${said} — ` +
      `${reading.advice(action, answer)}`,
    {
      ...(cause === undefined ? {} : { cause }),
      ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
    },
  )
}

/** The error for a call that got no answer at all. */
export function vaultUnreachable(
  action: Pick<VaultAction, 'what' | 'vaultUrl'>,
  cause: unknown,
): IssuerError {
  const code = systemCode(cause)
  const advice =
    code === 'ENOTFOUND'
      ? 'the name does not resolve: check vaultUrl, that the vault exists, and the private DNS zone'
      : 'check the route, the proxy and the firewall between the cluster and Key Vault'
  return new IssuerError(
    'VaultUnavailable',
    `could not ${action.what} at ${action.vaultUrl}: ${code ?? errorText(cause)} — ${advice}`,
    { cause },
  )
}

/** Reads `Retry-After` (RFC 9110 10.2.3) in milliseconds. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined || value === '') return undefined
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** The system error code (`ENOTFOUND`, `ECONNREFUSED`) of a failure, looked for along its causes. */
export function systemCode(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; depth++) {
    if ('code' in error && typeof error.code === 'string' && /^[A-Z_]{3,}$/.test(error.code)) {
      return error.code
    }
    error = error.cause
  }
  return undefined
}

function errorText(thrown: unknown): string {
  return firstLine(thrown instanceof Error ? thrown.message : String(thrown))
}

/** Key Vault's own words without what it adds to every answer of the kind. */
function gist(message: string): string {
  return firstLine(message)
    .replace(/ If you recently deleted this .*/, '')
    .replace(/\.$/, '')
}

/** Short enough for a condition. */
export function firstLine(text: string): string {
  const line = text.split(/\r?\n/, 1)[0] ?? ''
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
