/** Guards for the parts of the state that a state file brings back. */
import type { JsonWebKey } from 'node:crypto'
import { type Guard, isFlag, isNumber, isText, list, oneOf, optional, shape } from './guards.ts'
import { isJson } from './http.ts'
import {
  type Attributes,
  type CertificatePolicy,
  type KeyType,
  keyTypes,
  type LifetimeAction,
  type PendingOperation,
  type Tags,
} from './state.ts'

export const isJwk: Guard<JsonWebKey> = (value): value is JsonWebKey =>
  isJson(value) && isText(value.kty)
export const isTags: Guard<Tags> = (value): value is Tags =>
  isJson(value) && Object.values(value).every(isText)
export const isKeyType: Guard<KeyType> = oneOf(...keyTypes)
export const texts = list(isText)

export const isAttributes = shape<Attributes>({
  enabled: isFlag,
  nbf: optional(isNumber),
  exp: optional(isNumber),
  created: isNumber,
  updated: isNumber,
})
export const versioned = { version: isText, attributes: isAttributes, tags: optional(isTags) }

export const isPolicy = shape<CertificatePolicy>({
  key_props: shape<CertificatePolicy['key_props']>({
    exportable: isFlag,
    kty: isKeyType,
    key_size: isNumber,
    reuse_key: isFlag,
    crv: optional(isText),
  }),
  secret_props: shape<CertificatePolicy['secret_props']>({ contentType: isText }),
  x509_props: shape<CertificatePolicy['x509_props']>({
    subject: isText,
    sans: optional(
      shape({
        emails: optional(texts),
        dns_names: optional(texts),
        upns: optional(texts),
        uris: optional(texts),
        ipAddresses: optional(texts),
      }),
    ),
    ekus: texts,
    key_usage: texts,
    validity_months: isNumber,
    basic_constraints: shape<{ ca: boolean }>({ ca: isFlag }),
  }),
  lifetime_actions: list(
    shape<LifetimeAction>({
      trigger: shape<LifetimeAction['trigger']>({
        lifetime_percentage: optional(isNumber),
        days_before_expiry: optional(isNumber),
      }),
      action: shape<LifetimeAction['action']>({
        action_type: oneOf('AutoRenew', 'EmailContacts'),
      }),
    }),
  ),
  issuer: shape<CertificatePolicy['issuer']>({
    name: isText,
    cty: optional(isText),
    cert_transparency: optional(isFlag),
  }),
})

export const isPending = shape<PendingOperation>({
  requestId: isText,
  issuer: isText,
  csr: isText,
  jwk: isJwk,
  enabled: isFlag,
  tags: optional(isTags),
  preserveCertOrder: optional(isFlag),
  startedAt: isNumber,
  readyAt: optional(isNumber),
  failure: optional(shape<{ code: string; message: string }>({ code: isText, message: isText })),
  status: oneOf('inProgress', 'completed', 'cancelled', 'failed'),
  cancellationRequested: isFlag,
})
