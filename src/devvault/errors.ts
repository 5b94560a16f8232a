/**
 * The error bodies of Key Vault. Each says where its words come from: `recorded` in the traffic the
 * SDK teams publish, `reported` in a public issue or Microsoft page, `believed` without a source.
 * A client may rely on status and codes; only believed lines may turn out to be different.
 */
import { Refusal } from './http.ts'

export type ObjectKind = 'key' | 'certificate' | 'secret'

const notFoundCode = {
  key: 'KeyNotFound',
  certificate: 'CertificateNotFound',
  secret: 'SecretNotFound',
} as const satisfies Record<ObjectKind, string>

export function vaultError(
  status: number,
  code: string,
  message: string,
  innerCode?: string,
  headers?: Readonly<Record<string, string>>,
): Refusal {
  const error = { code, message, ...(innerCode && { innererror: { code: innerCode } }) }
  return new Refusal({ status, body: { error }, ...(headers && { headers }) })
}

/** Recorded for the three kinds. */
export function objectNotFound(kind: ObjectKind, id: string): Refusal {
  return vaultError(
    404,
    notFoundCode[kind],
    `A ${kind} with (name/id) ${id} was not found in this key vault. If you recently deleted this ${kind} you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  )
}

/** Recorded. */
export function deletedNotFound(kind: ObjectKind, name: string): Refusal {
  const title = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`
  return vaultError(404, notFoundCode[kind], `Deleted ${title} not found: ${name}`)
}

/** Reported (SDK samples and issues). */
export function nameIsDeleted(kind: ObjectKind, name: string): Refusal {
  const title = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`
  return vaultError(
    409,
    'Conflict',
    `${title} ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ${kind} can only be recovered or purged.`,
    'ObjectIsDeletedButRecoverable',
  )
}

/** The code is recorded, most texts are believed. */
export function badParameter(message: string): Refusal {
  return vaultError(400, 'BadParameter', message)
}

/** The first two are reported, the words and inner codes of the dates are believed. */
const unusableKey = {
  disabled: ['Operation sign is not allowed on a disabled key.', 'KeyDisabled'],
  forbidden: ['Operation sign is not permitted on this key.', 'KeyOperationForbidden'],
  expired: ['Operation sign is not allowed on an expired key.', 'KeyExpired'],
  notYetValid: ['Operation sign is not allowed on a key that is not yet valid.', 'KeyNotYetValid'],
} as const

export function keyUnusable(why: keyof typeof unusableKey): Refusal {
  const [message, innerCode] = unusableKey[why]
  return vaultError(403, 'Forbidden', message, innerCode)
}

/** Recorded. */
export function secretDisabled(): Refusal {
  const message = 'Operation get is not allowed on a disabled secret.'
  return vaultError(403, 'Forbidden', message, 'SecretDisabled')
}

/** Reported. In the one public capture there is no Retry-After. */
export function throttled(retryAfterSeconds: number | undefined): Refusal {
  return vaultError(
    429,
    'Throttled',
    'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
    undefined,
    retryAfterSeconds === undefined ? undefined : { 'Retry-After': String(retryAfterSeconds) },
  )
}

export interface DeniedCall {
  readonly clientId: string
  readonly objectId: string
  readonly tenantId: string
  readonly action: string
  readonly vault: string
  /** `keys/name`, or nothing for a list. */
  readonly object: string
}

/** Reported word for word in several issues (resource group and subscription are invented). */
export function forbiddenByRbac(denied: DeniedCall): Refusal {
  const [name = ''] = denied.vault.split('.')
  const vault = `/subscriptions/00000000-0000-0000-0000-00000000d0e5/resourcegroups/devvault/providers/microsoft.keyvault/vaults/${name.toLowerCase()}`
  const object = denied.object === '' ? '' : `/${denied.object.toLowerCase()}`
  const lines = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: appid=${denied.clientId};oid=${denied.objectId};iss=https://sts.windows.net/${denied.tenantId}/`,
    `Action: '${denied.action}'`,
    `Resource: '${vault}${object}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    "DecisionReason: 'DeniedWithNoValidRBAC' ",
    `Vault: ${name};location=${region}`,
    '',
  ]
  return vaultError(403, 'Forbidden', lines.join('\r\n'), 'ForbiddenByRbac')
}

export const region = 'devvault'
