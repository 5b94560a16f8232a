import { IssuerError } from '../error.ts'
import type { BehaviourSettings } from './behaviour.ts'
import type { Control, Latency } from './control.ts'
import { parseSubscription } from './event_grid.ts'
import { parseFault } from './faults.ts'
import { type Answer, isJson, type Json } from './http.ts'
import { type Identity, parseFederationInput, parseIdentityInput } from './identities.ts'
import type { QuotaSettings } from './quota.ts'

/**
 * The admin API: plain HTTP and JSON on loopback, for tests and for people who try things out.
 *
 *     GET    /                     where everything is, as printed at start
 *     GET    /counters             requests by operation, object and status
 *     GET    /requests             the last requests
 *     DELETE /counters             forgets both
 *     GET    /latency  PUT         {"keys/sign": 20, "*": 5}: milliseconds
 *     GET    /faults   POST DELETE  see `Fault`
 *     GET    /quota    PUT         {"enabled": true, "share": 0.01, "smooth": true, "retryAfterSeconds": 2}
 *     GET    /clock    PUT         {"now": "2027-01-01T00:00:00Z"} or {"advance": 86400000}
 *     GET    /behaviour  PUT       see `BehaviourSettings`
 *     GET    /identities  PUT      see `IdentityInput`
 *     POST   /federation           {"clientId", "issuer", "subject", "audience", "jwks"}
 *     GET    /subscriptions  PUT   of Event Grid, see `Subscription`; 200 once the endpoint agreed
 *     *      /vaults/{vault}/...   any operation of the data plane, without a token
 */
export async function answerAdmin(
  control: Control,
  info: unknown,
  method: string,
  path: readonly string[],
  text: string,
): Promise<Answer> {
  try {
    const body = text === '' ? undefined : parse(text)
    const [area = '', vault = '', ...rest] = path
    if (area === 'vaults') return await control.manage(vault, method, rest.join('/'), body)
    const handle = routes.get(`${method} /${path.join('/')}`)
    if (handle === undefined) {
      return { status: 404, body: { error: `no ${method} /${path.join('/')} in the admin API` } }
    }
    return { status: 200, body: (await handle(control, body, info)) ?? {} }
  } catch (error) {
    if (error instanceof IssuerError) return { status: 400, body: { error: error.message } }
    throw error
  }
}

type Handler = (control: Control, body: unknown, info: unknown) => unknown

const routes: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['GET /', (_control, _body, info) => info],
  ['GET /counters', (control) => control.journal.counters()],
  ['DELETE /counters', (control) => control.journal.reset()],
  ['GET /requests', (control) => ({ requests: control.journal.requests() })],
  ['GET /latency', (control) => control.latency],
  [
    'PUT /latency',
    (control, body) => {
      control.latency = parseLatency(body)
      return control.latency
    },
  ],
  ['GET /faults', (control) => ({ faults: control.faults.pending() })],
  ['POST /faults', (control, body) => control.faults.add(parseFault(body))],
  ['DELETE /faults', (control) => control.faults.clear()],
  ['GET /quota', (control) => control.quota.settings],
  ['PUT /quota', (control, body) => control.quota.set(parseQuota(body))],
  ['GET /clock', (control) => ({ now: new Date(control.clock.now()).toISOString() })],
  [
    'PUT /clock',
    (control, body) => {
      moveClock(control, body)
      return { now: new Date(control.clock.now()).toISOString() }
    },
  ],
  ['GET /behaviour', (control) => control.behaviour.settings],
  ['PUT /behaviour', (control, body) => control.behaviour.set(parseBehaviour(body))],
  ['GET /identities', (control) => ({ identities: control.identities().map(withoutSecrets) })],
  [
    'PUT /identities',
    (control, body) => withoutSecrets(control.putIdentity(parseIdentityInput(body))),
  ],
  ['GET /subscriptions', (control) => ({ subscriptions: control.eventGrid.subscriptions() })],
  ['PUT /subscriptions', (control, body) => control.eventGrid.subscribe(parseSubscription(body))],
  [
    'POST /federation',
    (control, body) => {
      const clientId = isJson(body) ? String(body.clientId) : ''
      return withoutSecrets(control.addFederation(clientId, parseFederationInput(body)))
    },
  ],
])

export function parseLatency(value: unknown): Latency {
  const json = jsonObject(value, 'latency')
  return Object.fromEntries(
    Object.entries(json).map(([operation, ms]) => {
      if (typeof ms === 'number' && ms >= 0) return [operation, ms]
      throw new IssuerError('SpecInvalid', `the latency of ${operation} must be milliseconds`)
    }),
  )
}

function parseQuota(value: unknown): QuotaSettings {
  const { enabled, share, smooth, retryAfterSeconds } = jsonObject(value, 'quota')
  if (typeof enabled !== 'boolean') {
    throw new IssuerError('SpecInvalid', 'quota.enabled must be true or false')
  }
  return {
    enabled,
    ...(typeof share === 'number' && share > 0 && { share }),
    ...(smooth === true && { smooth }),
    ...(typeof retryAfterSeconds === 'number' && { retryAfterSeconds }),
  }
}

function moveClock(control: Control, value: unknown): void {
  const { now, advance } = jsonObject(value, 'the clock')
  const time = typeof now === 'string' ? Date.parse(now) : Number.NaN
  if (!Number.isNaN(time) && advance === undefined) {
    control.clock.set(time)
  } else if (typeof advance === 'number' && Number.isFinite(advance) && now === undefined) {
    control.clock.advance(advance)
  } else {
    throw new IssuerError(
      'SpecInvalid',
      'expected {"now": "2027-01-01T00:00:00Z"} or {"advance": milliseconds}',
    )
  }
}

function parseBehaviour(value: unknown): Partial<BehaviourSettings> {
  const json = jsonObject(value, 'behaviour')
  const failure = json.creationFailure
  const ms = (name: string) => {
    const given = json[name]
    if (given === undefined || (typeof given === 'number' && given >= 0)) return given
    throw new IssuerError('SpecInvalid', `behaviour.${name} must be milliseconds`)
  }
  const creationMs = ms('creationMs')
  const deletionMs = ms('deletionMs')
  return {
    ...(creationMs !== undefined && { creationMs }),
    ...(deletionMs !== undefined && { deletionMs }),
    honourCancellation: json.honourCancellation === true,
    ...(isJson(failure) && {
      creationFailure: { code: String(failure.code), message: String(failure.message) },
    }),
  }
}

function withoutSecrets({ secrets, ...identity }: Identity): unknown {
  return { ...identity, secrets: secrets.length }
}

function jsonObject(value: unknown, what: string): Json {
  if (isJson(value)) return value
  throw new IssuerError('SpecInvalid', `${what} must be a JSON object`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new IssuerError('SpecInvalid', 'the body is not JSON', { cause })
  }
}
