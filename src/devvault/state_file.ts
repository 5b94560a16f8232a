/** The state as text: JSON with a format name, a version and a checksum, read back with care. */
import { hash, type JsonWebKey } from 'node:crypto'
import { IssuerError } from '../error.ts'
import {
  type Guard,
  isFlag,
  isNumber,
  isText,
  list,
  oneOf,
  optional,
  type Pairs,
  pairs,
  shape,
} from './guards.ts'
import { isJson } from './http.ts'
import type { FederatedCredential, Identity, Permission } from './identities.ts'
import type {
  Attributes,
  CertificatePolicy,
  CertificateVersion,
  Collection,
  DeletedEntry,
  Entry,
  Issuance,
  KeyType,
  KeyVersion,
  LifetimeAction,
  PendingOperation,
  SecretVersion,
  State,
  Tags,
  VaultState,
} from './state.ts'
import { keyTypes } from './state.ts'
import type { ServerIdentity } from './tls.ts'

const format = 'akv-issuer dev vault'
const version = 1

/** Maps become lists of pairs. */
export function encodeState(state: State): string {
  const text = JSON.stringify(state, (_key, value: unknown) =>
    value instanceof Map ? [...value] : value,
  )
  const head = JSON.stringify({ format, version, sha256: hash('sha256', text) })
  return `${head.slice(0, -1)},"state":${text}}\n`
}

/** Throws `SpecInvalid` for anything but an undamaged file of this version. */
export function decodeState(text: string, file: string): State {
  const damaged = (what: string) =>
    new IssuerError(
      'SpecInvalid',
      `the state file ${JSON.stringify(file)} ${what}; bring back a good copy, or remove it to begin with an empty vault`,
    )
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw damaged('is damaged: it is not JSON')
  }
  if (!isJson(parsed) || parsed.format !== format) throw damaged('is none of a dev vault')
  if (parsed.version !== version) {
    throw damaged(`has version ${JSON.stringify(parsed.version)}, this program reads ${version}`)
  }
  if (hash('sha256', JSON.stringify(parsed.state ?? null)) !== parsed.sha256) {
    throw damaged('is damaged: its checksum does not fit')
  }
  if (!isSavedState(parsed.state)) throw damaged('is damaged: its content is not a state')
  const { issuerKeys, vaults, identities, ...rest } = parsed.state
  return {
    ...rest,
    identities: [...identities],
    issuerKeys: new Map(issuerKeys),
    vaults: new Map(vaults.map(([id, vault]) => [id, vaultFrom(vault)])),
  }
}

interface SavedCollection<V> {
  readonly live: Pairs<Entry<V>>
  readonly deleted: Pairs<DeletedEntry<V>>
}

interface SavedVault {
  readonly name: string
  readonly keys: SavedCollection<KeyVersion>
  readonly certificates: SavedCollection<CertificateVersion>
  readonly secrets: SavedCollection<SecretVersion>
  readonly issuance: Pairs<Issuance>
}

interface SavedState {
  readonly tenantId: string
  readonly server: ServerIdentity
  readonly clockOffset: number
  readonly tokenKey: JsonWebKey
  readonly identities: readonly Identity[]
  readonly issuerKeys: Pairs<readonly JsonWebKey[]>
  readonly vaults: Pairs<SavedVault>
}

function vaultFrom({ name, keys, certificates, secrets, issuance }: SavedVault): VaultState {
  return {
    name,
    keys: collectionFrom(keys),
    certificates: collectionFrom(certificates),
    secrets: collectionFrom(secrets),
    issuance: new Map(issuance),
  }
}

function collectionFrom<V>({ live, deleted }: SavedCollection<V>): Collection<V> {
  return { live: new Map(live), deleted: new Map(deleted) }
}

const isJwk: Guard<JsonWebKey> = (value): value is JsonWebKey => isJson(value) && isText(value.kty)
const isTags: Guard<Tags> = (value): value is Tags =>
  isJson(value) && Object.values(value).every(isText)
const isKeyType: Guard<KeyType> = oneOf(...keyTypes)
const texts = list(isText)

const isAttributes = shape<Attributes>({
  enabled: isFlag,
  nbf: optional(isNumber),
  exp: optional(isNumber),
  created: isNumber,
  updated: isNumber,
})
const versioned = { version: isText, attributes: isAttributes, tags: optional(isTags) }

const isPolicy = shape<CertificatePolicy>({
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

const isPending = shape<PendingOperation>({
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

function collection<V>(guard: Guard<V>): Guard<SavedCollection<V>> {
  const entry = shape<Entry<V>>({ name: isText, versions: list(guard) })
  return shape<SavedCollection<V>>({
    live: pairs(entry),
    deleted: pairs(
      shape<DeletedEntry<V>>({
        entry,
        deletedDate: isNumber,
        shownFrom: isNumber,
        recoveredAt: optional(isNumber),
      }),
    ),
  })
}

const isVault = shape<SavedVault>({
  name: isText,
  keys: collection(
    shape<KeyVersion>({
      ...versioned,
      kty: isKeyType,
      jwk: isJwk,
      keyOps: texts,
      managed: isFlag,
    }),
  ),
  certificates: collection(
    shape<CertificateVersion>({
      ...versioned,
      cer: optional(isText),
      preserveCertOrder: optional(isFlag),
    }),
  ),
  secrets: collection(
    shape<SecretVersion>({
      ...versioned,
      value: isText,
      contentType: optional(isText),
      managed: isFlag,
    }),
  ),
  issuance: pairs(
    shape<Issuance>({
      policy: isPolicy,
      created: isNumber,
      updated: isNumber,
      pending: optional(isPending),
    }),
  ),
})

const isIdentity = shape<Identity>({
  name: isText,
  clientId: isText,
  objectId: isText,
  secrets: texts,
  certificates: texts,
  federation: list(
    shape<FederatedCredential>({ issuer: isText, subject: isText, audience: isText }),
  ),
  permissions: list(
    shape<Permission>({ actions: texts, vault: optional(isText), object: optional(isText) }),
  ),
  managed: optional(oneOf('system', 'user')),
})

const isSavedState = shape<SavedState>({
  tenantId: isText,
  server: shape<ServerIdentity>({ caPem: isText, certificatePem: isText, keyPem: isText }),
  clockOffset: isNumber,
  tokenKey: isJwk,
  identities: list(isIdentity),
  issuerKeys: pairs(list(isJwk)),
  vaults: pairs(isVault),
})
