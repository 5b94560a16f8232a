import { createPublicKey } from 'node:crypto'
import { IssuerError } from '../error.ts'
import {
  booleanAt,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  textMapAt,
} from '../json.ts'
import { parseSubjectKey, type SubjectKey } from '../pki/subject_key.ts'
import type { VaultAction, VaultRight } from './failure.ts'
import { callVault, type RestDeps } from './rest_call.ts'
import type { ObjectVersion } from './vault.ts'

/** Where the private key is. */
export type Protection = 'hsm' | 'software'

export const keyKinds = ['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096'] as const
export type KeyKind = (typeof keyKinds)[number]

/** A key of Key Vault, by its public half. */
export interface VaultKey {
  readonly ref: ObjectVersion
  /** Its full identifier. */
  readonly id: string
  readonly publicKey: SubjectKey
  readonly protection: Protection
  readonly enabled: boolean
  /** Milliseconds since the Unix epoch. */
  readonly created: number
  /** Absent where it never expires. */
  readonly notAfter: number | undefined
  readonly tags: Readonly<Record<string, string>>
}

export interface KeyRequest {
  readonly kind: KeyKind
  readonly protection: Protection
  readonly tags: Readonly<Record<string, string>>
}

/** A secret as text, as a person put it there. */
export interface StoredText {
  readonly ref: ObjectVersion
  readonly value: string
  readonly tags: Readonly<Record<string, string>>
}

/**
 * What a person does to the keys and secrets of a vault when a CA is set up. No call is repeated by
 * itself: one that makes something would make it twice.
 */
export class KeyKeeper {
  readonly #deps: RestDeps

  constructor(deps: RestDeps) {
    this.#deps = deps
  }

  /** `undefined` when there is no such key. The latest version, or the one named. */
  async key(name: string, version: string, signal: AbortSignal): Promise<VaultKey | undefined> {
    const path = version === '' ? `/keys/${name}` : `/keys/${name}/${version}`
    const action = this.#action(`read key "${name}"`, readKeys, `key "${name}"`)
    const body = await unlessMissing(callVault(this.#deps, { method: 'GET', path, action }, signal))
    return body && this.#keyFrom(name, body)
  }

  /** How many versions there are, up to the 25 of a page. */
  async keyVersions(name: string, signal: AbortSignal): Promise<number> {
    const action = this.#action(`list versions of key "${name}"`, readKeys, `key "${name}"`)
    const call = { method: 'GET', path: `/keys/${name}/versions`, action } as const
    return objectsAt(await callVault(this.#deps, call, signal), 'value').length
  }

  /** Makes a key that signs and nothing else, and that cannot leave the vault. */
  async createKey(name: string, request: KeyRequest, signal: AbortSignal): Promise<VaultKey> {
    const { kind, protection, tags } = request
    const suffix = protection === 'hsm' ? '-HSM' : ''
    const shape = kind.startsWith('RSA')
      ? { kty: `RSA${suffix}`, key_size: Number(kind.slice(4)) }
      : { kty: `EC${suffix}`, crv: kind }
    const action = {
      ...this.#action(`create key "${name}"`, createKeys, `key "${name}"`),
      ifRefused:
        'a vault of the standard tier has no HSM keys: use a premium one, or --protection software',
    }
    const body = { ...shape, key_ops: ['sign', 'verify'], tags }
    const path = `/keys/${name}/create`
    return this.#keyFrom(
      name,
      await callVault(this.#deps, { method: 'POST', path, body, action }, signal),
    )
  }

  /** `undefined` when there is no such secret. */
  async text(name: string, signal: AbortSignal): Promise<StoredText | undefined> {
    const action = this.#action(`read secret "${name}"`, readSecrets, `secret "${name}"`)
    const call = { method: 'GET', path: `/secrets/${name}`, action } as const
    const body = await unlessMissing(callVault(this.#deps, call, signal))
    return body && textFrom(name, body)
  }

  /** A new version, the first one or one more. */
  async setText(
    name: string,
    value: string,
    tags: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<StoredText> {
    const action = this.#action(`set secret "${name}"`, setSecrets, `secret "${name}"`)
    const body = { value, contentType: 'application/x-pem-file', tags }
    const call = { method: 'PUT', path: `/secrets/${name}`, body, action } as const
    return textFrom(name, await callVault(this.#deps, call, signal))
  }

  #action(what: string, right: VaultRight, object: string): VaultAction {
    const { location, tokens } = this.#deps
    return {
      what,
      vaultUrl: location.url,
      who: tokens.who,
      right,
      object,
      ifRefused: 'check the name',
    }
  }

  #keyFrom(name: string, body: JsonObject): VaultKey {
    const jwk = objectAt(body, 'key')
    const id = textAt(jwk, 'kid') ?? ''
    const version = id.split('/').at(-1) ?? ''
    const publicKey = publicKeyOf(jwk)
    const attributes = objectAt(body, 'attributes')
    const expires = numberAt(attributes, 'exp')
    if (!/^[0-9a-f]{32}$/i.test(version) || publicKey === undefined) {
      const kty = textAt(jwk, 'kty') ?? 'no type'
      throw new IssuerError(
        'VaultKeyUnusable',
        `key "${name}" at ${this.#deps.location.url} (${kty}) cannot be that of a CA — expected RSA, or EC on P-256, P-384 or P-521`,
      )
    }
    return {
      ref: { name, version },
      id: `${this.#deps.location.url}/keys/${name}/${version}`,
      publicKey,
      protection: textAt(jwk, 'kty')?.endsWith('-HSM') ? 'hsm' : 'software',
      enabled: booleanAt(attributes, 'enabled') ?? false,
      created: (numberAt(attributes, 'created') ?? 0) * 1000,
      notAfter: expires === undefined ? undefined : expires * 1000,
      tags: textMapAt(body, 'tags'),
    }
  }
}

const readKeys: VaultRight = {
  role: 'Key Vault Crypto Officer',
  dataAction: 'Microsoft.KeyVault/vaults/keys/read',
  accessPolicy: '"get" for keys',
}

const createKeys: VaultRight = {
  role: 'Key Vault Crypto Officer',
  dataAction: 'Microsoft.KeyVault/vaults/keys/create/action',
  accessPolicy: '"create" for keys',
}

const readSecrets: VaultRight = {
  role: 'Key Vault Secrets Officer',
  dataAction: 'Microsoft.KeyVault/vaults/secrets/getSecret/action',
  accessPolicy: '"get" for secrets',
}

const setSecrets: VaultRight = {
  role: 'Key Vault Secrets Officer',
  dataAction: 'Microsoft.KeyVault/vaults/secrets/setSecret/action',
  accessPolicy: '"set" for secrets',
}

async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof IssuerError && error.code === 'VaultNotFound') return undefined
    throw error
  }
}

function textFrom(name: string, body: JsonObject): StoredText {
  const version = textAt(body, 'id')?.split('/').at(-1) ?? ''
  return {
    ref: { name, version },
    value: textAt(body, 'value') ?? '',
    tags: textMapAt(body, 'tags'),
  }
}

/** Of a JWK as Key Vault writes it, where HSM keys have types of their own. */
function publicKeyOf(jwk: JsonObject | undefined): SubjectKey | undefined {
  const kty = (textAt(jwk, 'kty') ?? '').replace(/-HSM$/, '')
  const fields = ['n', 'e', 'crv', 'x', 'y'].map((name) => [name, textAt(jwk, name)] as const)
  const present = fields.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]))
  try {
    const key = { kty, ...Object.fromEntries(present) }
    const spki = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'der' })
    const parsed = parseSubjectKey(new Uint8Array(spki))
    return parsed.ok ? parsed.value : undefined
  } catch {
    return undefined
  }
}
