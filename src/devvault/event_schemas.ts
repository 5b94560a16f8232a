/** What Event Grid sends in either of its schemas, and which answers it takes. */
import { isJson, type Json } from './http.ts'
import type { VaultState } from './state.ts'

/** What is sent, and what is wrong with the answer; `undefined` when nothing is. */
export interface Exchange {
  readonly method: 'POST' | 'OPTIONS'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
  troubleWith(answer: WebhookAnswer): string | undefined
}

export interface WebhookAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface VaultEvent {
  readonly id: string
  readonly topic: string
  readonly subject: string
  readonly type: string
  readonly time: string
  readonly data: Json
}

export type SchemaName = 'EventGridSchema' | 'CloudEventSchemaV1_0'

interface Schema {
  /** @param code what the endpoint is to send back, where the schema has it */
  handshake(subscription: string, topic: string, code: string, nowMs: number): Exchange
  /** @param attempt from 0 */
  delivery(subscription: string, event: VaultEvent, attempt: number): Exchange
}

const origin = 'eventgrid.azure.net'
/** Requests a minute that are asked for. */
const rate = 120

export const schemas: Readonly<Record<SchemaName, Schema>> = {
  EventGridSchema: {
    handshake: (subscription, topic, code, nowMs) => ({
      method: 'POST',
      headers: gridHeaders(subscription, 'SubscriptionValidation'),
      body: [
        {
          id: code,
          topic,
          subject: '',
          data: {
            validationCode: code,
            validationUrl: `https://${origin}:553/validate?id=${code}`,
          },
          eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
          eventTime: new Date(nowMs).toISOString(),
          metadataVersion: '1',
          dataVersion: '2',
        },
      ],
      troubleWith({ status, text }) {
        if (status !== 200) return `it answered ${status}, expected 200 and no other`
        const answer = parse(text)
        if (isJson(answer) && answer.validationResponse === code) return undefined
        return `its answer ${JSON.stringify(text)} does not have the validation code`
      },
    }),
    delivery: (subscription, { type, time, ...event }, attempt) => ({
      method: 'POST',
      headers: {
        ...gridHeaders(subscription, 'Notification'),
        'aeg-delivery-count': String(attempt),
        'aeg-data-version': '1',
        'aeg-metadata-version': '1',
      },
      body: [
        { ...event, eventType: type, eventTime: time, dataVersion: '1', metadataVersion: '1' },
      ],
      troubleWith: troubleWithDelivery,
    }),
  },
  CloudEventSchemaV1_0: {
    handshake: (_subscription, _topic, code) => ({
      method: 'OPTIONS',
      headers: {
        'webhook-request-origin': origin,
        'webhook-request-callback': `https://${origin}:553/validate?id=${code}`,
        'webhook-request-rate': String(rate),
      },
      // CloudEvents HTTP web hooks, 4.2.
      troubleWith({ status, headers }) {
        if (status !== 200 && status !== 204) return `it answered ${status}, expected 200`
        const allowed = headers.get('webhook-allowed-origin')
        if (allowed !== origin && allowed !== '*') {
          return `WebHook-Allowed-Origin is ${JSON.stringify(allowed)}, expected ${origin} or *`
        }
        const allowedRate = headers.get('webhook-allowed-rate') ?? ''
        if (allowedRate === '*' || /^[1-9]\d*$/.test(allowedRate)) return undefined
        return `WebHook-Allowed-Rate is ${JSON.stringify(allowedRate)}, expected a number or *`
      },
    }),
    delivery: (_subscription, { topic, ...event }) => ({
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'webhook-request-origin': origin,
      },
      body: { ...event, source: topic, specversion: '1.0' },
      troubleWith: troubleWithDelivery,
    }),
  },
}

/** Key Vault's event about a new version of a certificate. */
export function newVersion(
  topic: string,
  vault: VaultState,
  { name, version }: { readonly name: string; readonly version: string },
  nowMs: number,
  id: string,
): VaultEvent {
  const { nbf, exp } =
    vault.certificates.live.get(name.toLowerCase())?.versions.find((one) => one.version === version)
      ?.attributes ?? {}
  return {
    id,
    topic,
    subject: name,
    type: 'Microsoft.KeyVault.CertificateNewVersionCreated',
    time: new Date(nowMs).toISOString(),
    data: {
      Id: `https://${vault.name.toLowerCase()}.vault.azure.net/certificates/${name}/${version}`,
      VaultName: vault.name,
      ObjectType: 'Certificate',
      ObjectName: name,
      Version: version,
      NBF: nbf ?? null,
      EXP: exp ?? null,
    },
  }
}

function gridHeaders(subscription: string, type: string): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json; charset=utf-8',
    'aeg-event-type': type,
    'aeg-subscription-name': subscription.toUpperCase(),
  }
}

function troubleWithDelivery({ status }: WebhookAnswer): string | undefined {
  return status >= 200 && status <= 204 ? undefined : `it answered ${status}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
