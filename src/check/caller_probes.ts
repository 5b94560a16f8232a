import { textAt } from '../json.ts'
import { tokenClaims } from '../vault/token_claims.ts'
import type { TokenSource } from '../vault/token_source.ts'
import { attempt } from './attempt.ts'
import { type Finding, failed, ok, skipped } from './finding.ts'
import { sightingOf } from './sighting.ts'

/** Who asks, as the token says. */
export interface Caller {
  readonly who: string
  /** Object id in Entra. */
  readonly objectId: string | undefined
}

/** Whether the vault answers from here, and whose tokens it takes. */
export async function probeReach(
  host: string,
  reach: (signal: AbortSignal) => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly tenantId: string | undefined }> {
  const reached = await attempt('vault', signal, () =>
    reach(AbortSignal.any([signal, AbortSignal.timeout(reachTimeout)])),
  )
  if (!reached.ok) return { finding: reached.finding, tenantId: undefined }
  const tenantId = reached.value
  const whose = tenantId === undefined ? '' : `, and takes tokens of tenant ${tenantId}`
  return { finding: ok('vault', `${host} answers${whose}`), tenantId }
}

const reachTimeout = 15_000

/** Whether a token is had here, and is one that the vault will take. */
export async function probeToken(
  tokens: Pick<TokenSource, 'token' | 'who'>,
  tenantId: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly caller: Caller | undefined }> {
  const had = await attempt('token', signal, () => tokens.token(signal))
  if (!had.ok) return { finding: had.finding, caller: undefined }
  const claims = tokenClaims(had.value)
  const person = textAt(claims, 'upn') ?? textAt(claims, 'unique_name')
  const application = textAt(claims, 'appid') ?? textAt(claims, 'azp')
  const who = person ?? (application === undefined ? tokens.who : `client ${application}`)
  const home = textAt(claims, 'tid')
  const caller = { who, objectId: textAt(claims, 'oid') }
  if (tenantId === undefined || home === undefined || home === tenantId) {
    return { finding: ok('token', `Entra gave one to ${who}`), caller }
  }
  const message = `the token of ${who} is of tenant ${home}; the vault takes those of tenant ${tenantId}`
  return { finding: failed('token', 'IdentityRefused', message), caller }
}

/** Whose rights the caller has: their own, or those of the issuer. */
export type Standing = 'caller' | 'issuer'

/** What the caller cannot reach says nothing of the issuer. */
const ofThePlace: ReadonlySet<string> = new Set([
  'VaultUnavailable',
  'IdentityUnavailable',
  'KubeForbidden',
])
const ofTheNetwork: ReadonlySet<string> = new Set(['ForbiddenByFirewall', 'ForbiddenByConnection'])
/** What the caller may not do, either. */
const ofThePerson: ReadonlySet<string> = new Set(['VaultForbidden', 'IdentityRefused'])

/** A finding where the controller has its own: what the caller lacks is no fault of the issuer then. */
export function unlessOfTheCaller(finding: Finding, standing: Standing): Finding {
  const { probe, result, code, message } = finding
  if (result !== 'failed' || code === undefined) return finding
  const isElsewhere =
    ofThePlace.has(code) ||
    ofTheNetwork.has(sightingOf(message).detail ?? '') ||
    (standing === 'caller' && ofThePerson.has(code))
  return isElsewhere ? skipped(probe, `not to be seen from here: ${message}`) : finding
}
