import { isObject, type JsonObject, objectAt, textAt } from '../json.ts'

/** A new version of a Key Vault certificate, as somebody says: a hint to look, never a fact. */
export interface VaultNotice {
  /** Lower case, as `contoso.vault.azure.net`. */
  readonly vaultHost: string
  readonly certificate: string
}

/** What one POST of Event Grid is about. */
export type Delivery =
  /** The handshake of the Event Grid schema: `code` is to be sent back. */
  | { readonly kind: 'validation'; readonly code: string }
  | {
      readonly kind: 'events'
      readonly notices: readonly VaultNotice[]
      /** Events of other types, which mean nothing to us. */
      readonly ignored: number
    }
  /** For `reason` it can never be understood. */
  | { readonly kind: 'malformed'; readonly reason: string }

/** Event Grid sends one event at a time unless a subscription asks for batches. */
export const maxEvents = 100

/**
 * Reads the body of a delivery: an event or a list of events, in the Event Grid schema or in
 * CloudEvents 1.0.
 */
export function parseDelivery(text: string): Delivery {
  const body = parseJson(text)
  const events: readonly unknown[] = Array.isArray(body) ? body : [body]
  if (events.length === 0) return malformed('there is no event in it')
  if (events.length > maxEvents) {
    return malformed(
      `${events.length} events are more than the ${maxEvents} that are taken at once`,
    )
  }
  const notices: VaultNotice[] = []
  let ignored = 0
  for (const event of events) {
    const type = isObject(event) ? typeOf(event) : undefined
    if (!isObject(event) || type === undefined) {
      return malformed('it is neither an Event Grid event nor a CloudEvent 1.0')
    }
    if (type === validationType) {
      const code = textAt(objectAt(event, 'data'), 'validationCode')
      if (code !== undefined && events.length === 1) return { kind: 'validation', code }
      return malformed('a validation event comes alone and with a validationCode')
    }
    if (type !== newVersionType) {
      ignored++
      continue
    }
    const notice = parseNotice(objectAt(event, 'data'))
    if (typeof notice === 'string') return malformed(notice)
    notices.push(notice)
  }
  return { kind: 'events', notices, ignored }
}

const validationType = 'Microsoft.EventGrid.SubscriptionValidationEvent'
/** Key Vault sends it for certificates that are made, renewed, imported and merged. */
const newVersionType = 'Microsoft.KeyVault.CertificateNewVersionCreated'

/** Each schema names the type in its own way; a version other than 1.0 is another format. */
function typeOf(event: JsonObject): string | undefined {
  return event.specversion === '1.0' ? textAt(event, 'type') : textAt(event, 'eventType')
}

/**
 * The vault's host is only in the identifier, whose form is `https://HOST/certificates/NAME/VERSION`.
 * What else is told must agree with it.
 */
function parseNotice(data: JsonObject | undefined): VaultNotice | string {
  const id = textAt(data, 'Id') ?? ''
  const url = URL.parse(id)
  const [collection, certificate = '', version = '', ...rest] =
    url?.pathname.slice(1).split('/') ?? []
  const isIdentifier =
    url?.protocol === 'https:' &&
    vaultHost.test(url.host) &&
    collection === 'certificates' &&
    certificateName.test(certificate) &&
    /^[0-9a-f]{32}$/i.test(version) &&
    rest.length === 0
  if (!isIdentifier) {
    return `data.Id ${quoted(id)} is not of the form https://HOST/certificates/NAME/VERSION`
  }
  const told = [
    ['VaultName', url.host.split('.')[0]],
    ['ObjectType', 'Certificate'],
    ['ObjectName', certificate],
  ] as const
  for (const [key, expected] of told) {
    const value = textAt(data, key)
    if (value === undefined || value.toLowerCase() === expected?.toLowerCase()) continue
    return `data.${key} ${quoted(value)} does not agree with data.Id ${quoted(id)}`
  }
  return { vaultHost: url.host, certificate }
}

/** A name of DNS, without a port: no vault has one. */
export const vaultHost = /^(?=.{4,100}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/
/** Of an object in Key Vault. */
export const certificateName = /^[0-9a-zA-Z-]{1,127}$/

function quoted(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function malformed(reason: string): Delivery {
  return { kind: 'malformed', reason }
}
