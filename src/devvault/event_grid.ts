/**
 * Event Grid, as far as it tells webhooks of new versions of certificates. Handshakes, headers and
 * the schedule of retries are documented (articles/event-grid of azure-docs: end-point-validation-*,
 * delivery-and-retry, event-schema-key-vault, secure-webhook-delivery). Endpoints may be plain HTTP
 * here: the place of the ingress in front of them is left empty.
 */
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import type { Random } from '../random.ts'
import type { Entra } from './entra.ts'
import {
  type Exchange,
  newVersion,
  type SchemaName,
  schemas,
  type WebhookAnswer,
} from './event_schemas.ts'
import { isJson } from './http.ts'
import type { Journal } from './journal.ts'
import { newVersionId } from './objects.ts'
import type { State, VaultState } from './state.ts'

export interface Subscription {
  readonly name: string
  readonly vault: string
  readonly endpoint: string
  readonly schema: SchemaName
  /** Tokens are got for this application; 2.0 is what it has chosen as their version. */
  readonly entra?: { readonly audience: string; readonly tokenVersion: '1.0' | '2.0' }
  /** Delivery attributes: sent along with handshake and events. */
  readonly headers: Readonly<Record<string, string>>
}

interface Parts {
  readonly state: State
  readonly entra: Entra
  readonly journal: Journal
  readonly clock: Clock
  readonly random: Random
  readonly stopping: AbortSignal
}

export class EventGrid {
  readonly #parts: Parts
  readonly #subscriptions = new Map<string, Subscription>()
  /** Versions that were told of, or were there before the first subscription. */
  readonly #told = new WeakMap<VaultState, Set<string>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  subscriptions(): readonly Subscription[] {
    return [...this.#subscriptions.values()]
  }

  /** Adds or replaces one, if the endpoint agrees. They are forgotten at the end of the process. */
  async subscribe(subscription: Subscription): Promise<Subscription> {
    const { name, vault: vaultName, schema } = subscription
    const vault = this.#parts.state.vaults.get(vaultName.toLowerCase())
    if (vault === undefined) {
      throw new IssuerError('SpecInvalid', `there is no vault named "${vaultName}"`)
    }
    const code = newVersionId(this.#parts.random)
    const handshake = schemas[schema].handshake(name, topicOf(vault), code, this.#parts.clock.now())
    const answer = await this.#send(subscription, handshake)
    const trouble = typeof answer === 'string' ? answer : handshake.troubleWith(answer)
    if (trouble !== undefined) {
      throw new IssuerError('SpecInvalid', `the handshake with ${name} failed: ${trouble}`)
    }
    if (!this.#told.has(vault)) this.#told.set(vault, new Set(versionsOf(vault).keys()))
    this.#subscriptions.set(name, subscription)
    return subscription
  }

  /** To be called after each change of a vault: tells of the versions that are new. */
  changed(vault: VaultState): void {
    const told = this.#told.get(vault)
    if (told === undefined) return
    for (const [version, name] of versionsOf(vault)) {
      if (told.has(version)) continue
      told.add(version)
      for (const subscription of this.#subscriptions.values()) {
        if (subscription.vault.toLowerCase() !== vault.name.toLowerCase()) continue
        void this.#deliver(subscription, vault, name, version)
      }
    }
  }

  /** Until it is accepted, or the process ends. Never rejects. */
  async #deliver(to: Subscription, vault: VaultState, name: string, version: string) {
    const { clock, random, journal, stopping } = this.#parts
    const time = clock.now()
    const event = newVersion(topicOf(vault), vault, { name, version }, time, newVersionId(random))
    for (let attempt = 0; !stopping.aborted; attempt++) {
      const started = clock.monotonic()
      const delivery = schemas[to.schema].delivery(to.name, event, attempt)
      const answer = await this.#send(to, delivery)
      const status = typeof answer === 'string' ? 0 : answer.status
      journal.add({
        time: clock.now(),
        operation: 'eventgrid/deliver',
        method: delivery.method,
        host: new URL(to.endpoint).hostname,
        vault: vault.name,
        object: name,
        version,
        clientId: '',
        status,
        duration: Math.round(clock.monotonic() - started),
        requestId: event.id,
      })
      if (typeof answer !== 'string' && delivery.troubleWith(answer) === undefined) return
      const retryMs = retriesMs[Math.min(attempt, retriesMs.length - 1)] ?? 0
      await clock
        .sleep(Math.max(retryMs, leastRetryMs.get(status) ?? 0), stopping)
        .catch(() => undefined)
    }
  }

  /** The answer, or why there was none. */
  async #send(to: Subscription, exchange: Exchange): Promise<WebhookAnswer | string> {
    const { entra, stopping } = this.#parts
    const { method, body } = exchange
    const token = to.entra && entra.eventGridToken(to.entra.audience, to.entra.tokenVersion)
    const headers = {
      ...to.headers,
      ...exchange.headers,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
    try {
      const answer = await fetch(to.endpoint, {
        method,
        headers,
        redirect: 'manual',
        signal: AbortSignal.any([stopping, AbortSignal.timeout(answerMs)]),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return { status: answer.status, headers: answer.headers, text: await answer.text() }
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
}

export function parseSubscription(value: unknown): Subscription {
  const input = isJson(value) ? value : {}
  const { schema, headers = {}, entra } = input
  if (schema !== 'EventGridSchema' && schema !== 'CloudEventSchemaV1_0') {
    throw new IssuerError(
      'SpecInvalid',
      'the schema of a subscription must be EventGridSchema or CloudEventSchemaV1_0',
    )
  }
  const text = (key: string) => {
    const given = input[key]
    if (typeof given === 'string' && given !== '') return given
    throw new IssuerError('SpecInvalid', `a subscription must have a ${key}`)
  }
  const sent = isJson(headers) ? Object.entries(headers) : []
  return {
    name: text('name'),
    vault: text('vault'),
    endpoint: text('endpoint'),
    schema,
    headers: Object.fromEntries(sent.map(([name, sentValue]) => [name, String(sentValue)])),
    ...(isJson(entra) && {
      entra: {
        audience: String(entra.audience),
        tokenVersion: entra.tokenVersion === '2.0' ? '2.0' : '1.0',
      },
    }),
  }
}

const answerMs = 30_000
const retriesMs = [10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000]
/** By status of the answer. */
const leastRetryMs: ReadonlyMap<number, number> = new Map([
  [400, 300_000],
  [401, 300_000],
  [403, 300_000],
  [404, 300_000],
  [408, 120_000],
  [503, 30_000],
])

function topicOf(vault: VaultState): string {
  const group = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/dev'
  return `${group}/providers/Microsoft.KeyVault/vaults/${vault.name}`
}

/** Names by version, of versions that have a certificate. */
function versionsOf(vault: VaultState): ReadonlyMap<string, string> {
  const entries = [...vault.certificates.live.values()]
  return new Map(
    entries.flatMap(({ name, versions }) =>
      versions
        .filter(({ cer }) => cer !== undefined)
        .map(({ version }) => [version, name] as const),
    ),
  )
}
