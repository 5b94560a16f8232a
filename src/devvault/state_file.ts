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
  CertificateVersion,
  Collection,
  DeletedEntry,
  Entry,
  Issuance,
  KeyVersion,
  SecretVersion,
  State,
  VaultState,
} from './state.ts'
import { isJwk, isKeyType, isPending, isPolicy, texts, versioned } from './state_guards.ts'
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
