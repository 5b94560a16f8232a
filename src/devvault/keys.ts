import { createPrivateKey, type JsonWebKey } from 'node:crypto'
import { deletedPage, deletion, findDeleted, purge, recover, remove } from './deletion.ts'
import { badParameter, keyUnusable, vaultError } from './errors.ts'
import { type Answer, isJson, type Json } from './http.ts'
import {
  defaultKeyOps,
  generateKey,
  isHsm,
  isRsa,
  keyShape,
  privateJwk,
  rsaSize,
} from './key_kinds.ts'
import { managedHsmKeyOps, managedHsmKeyType } from './managed_hsm.ts'
import {
  addVersion,
  changedAttributes,
  find,
  newAttributes,
  newVersionId,
  page,
  parseTags,
  seconds,
  showAttributes,
  showTags,
} from './objects.ts'
import { type Call, isDated, type Operation, offer } from './operation.ts'
import { type DigestSigner, digestSigner, signatureAlgorithms } from './sign_digest.ts'
import { type KeyType, type KeyVersion, keyTypes } from './state.ts'

/**
 * Recorded: the bundle, create, import, update of a disabled key, delete, version lists, sign.
 * Believed: the order in which sign looks at key state, algorithm and digest; that dates have no
 * leeway (the real service is said to allow a few minutes, so this one is the stricter).
 */
export const keyOperations: readonly Operation[] = [
  offer('GET keys', 'keys/list', 'keys/read', list),
  offer('POST keys/{name}/create', 'keys/create', 'keys/create/action', create),
  offer('PUT keys/{name}', 'keys/import', 'keys/import/action', importKey),
  offer('GET keys/{name}/versions', 'keys/versions', 'keys/read', versions),
  offer('POST keys/{name}/sign', 'keys/sign', 'keys/sign/action', signOne),
  offer('POST keys/{name}/{version}/sign', 'keys/sign', 'keys/sign/action', signOne),
  offer('GET keys/{name}', 'keys/get', 'keys/read', get),
  offer('GET keys/{name}/{version}', 'keys/get', 'keys/read', get),
  offer('PATCH keys/{name}', 'keys/update', 'keys/update/action', update),
  offer('PATCH keys/{name}/{version}', 'keys/update', 'keys/update/action', update),
  offer('DELETE keys/{name}', 'keys/delete', 'keys/delete', removeKey),
  offer('GET deletedkeys', 'deletedkeys/list', 'keys/read', listDeleted),
  offer('GET deletedkeys/{name}', 'deletedkeys/get', 'keys/read', getDeleted),
  offer(
    'POST deletedkeys/{name}/recover',
    'deletedkeys/recover',
    'keys/recover/action',
    recoverKey,
  ),
  offer('DELETE deletedkeys/{name}', 'deletedkeys/purge', 'keys/purge/action', (call) =>
    purge(call, call.vault.keys, 'key'),
  ),
]

async function create(call: Call): Promise<Answer> {
  const asked = keyTypes.find((one) => one === call.body.kty)
  if (asked === undefined) throw badParameter('Property kty has invalid value')
  const kty = call.isManagedHsm ? managedHsmKeyType(asked) : asked
  const jwk = await generateKey(keyShape(kty, call.body.key_size, call.body.crv))
  return add(call, kty, jwk, parseKeyOps(call, call.body.key_ops, kty))
}

function importKey(call: Call): Answer {
  const given = call.body.key
  if (!isJson(given)) throw badParameter('Property key has invalid value')
  const hsm = call.isManagedHsm || (call.body.Hsm ?? call.body.hsm ?? false)
  if (typeof hsm !== 'boolean') throw badParameter('Property Hsm has invalid value')
  const base = String(given.kty).replace(/-HSM$/, '')
  const kty = keyTypes.find((one) => one === (hsm ? `${base}-HSM` : String(given.kty)))
  if (kty === undefined) throw badParameter('Property key.kty has invalid value')
  const jwk = privateJwk(() => createPrivateKey({ key: { ...given, kty: base }, format: 'jwk' }))
  return add(call, kty, jwk, parseKeyOps(call, given.key_ops, kty))
}

function add(call: Call, kty: KeyType, jwk: JsonWebKey, keyOps: readonly string[]): Answer {
  const existing = call.vault.keys.live.get(call.name.toLowerCase())
  if (existing?.versions.at(-1)?.managed) {
    throw vaultError(409, 'Conflict', `Key ${existing.name} belongs to a certificate.`)
  }
  const key: KeyVersion = {
    version: newVersionId(call.random),
    kty,
    jwk,
    keyOps,
    managed: false,
    attributes: newAttributes(call.body, call.nowMs),
    ...parseTags(call.body),
  }
  addVersion(call.vault.keys, 'key', call.name, key)
  return { status: 200, body: bundle(call, existing?.name ?? call.name, key) }
}

function get(call: Call): Answer {
  const { name, version } = find(call.vault.keys, 'key', call.name, call.version)
  return { status: 200, body: bundle(call, name, version) }
}

function update(call: Call): Answer {
  const { name, version: key } = find(call.vault.keys, 'key', call.name, call.version)
  const keyOps =
    call.body.key_ops === undefined ? key.keyOps : parseKeyOps(call, call.body.key_ops, key.kty)
  const attributes = changedAttributes(key.attributes, call.body, call.nowMs)
  Object.assign(key, { keyOps, attributes, ...parseTags(call.body) })
  return { status: 200, body: bundle(call, name, key) }
}

function list(call: Call): Answer {
  const items = [...call.vault.keys.live.values()].flatMap(({ name, versions: all }) => {
    const latest = all.at(-1)
    const kid = `${call.origin}/keys/${name}`
    return latest ? [{ id: name.toLowerCase(), item: listItem(call, kid, latest) }] : []
  })
  return page(call, 'keys', items)
}

function versions(call: Call): Answer {
  const entry = call.vault.keys.live.get(call.name.toLowerCase())
  const items = (entry?.versions ?? []).map((key) => ({
    id: key.version,
    item: listItem(call, `${call.origin}/keys/${entry?.name}/${key.version}`, key),
  }))
  return page(call, `keys/${call.name}/versions`, items)
}

function removeKey(call: Call): Answer {
  if (find(call.vault.keys, 'key', call.name, '').version.managed) throw belongsToCertificate()
  const { name, version, deletedDate } = remove(call, call.vault.keys, 'key')
  return { status: 200, body: deletedBundle(call, name, version, deletedDate) }
}

function getDeleted(call: Call): Answer {
  const { name, version, deletedDate } = findDeleted(call, call.vault.keys, 'key')
  return { status: 200, body: deletedBundle(call, name, version, deletedDate) }
}

function listDeleted(call: Call): Answer {
  return deletedPage(call, call.vault.keys, 'keys', (name, version) =>
    listItem(call, `${call.origin}/keys/${name}`, version),
  )
}

function recoverKey(call: Call): Answer {
  const deleted = call.vault.keys.deleted.get(call.name.toLowerCase())
  if (deleted?.entry.versions.at(-1)?.managed) throw belongsToCertificate()
  const { name, version } = recover(call, call.vault.keys, 'key')
  return { status: 200, body: bundle(call, name, version) }
}

function deletedBundle(call: Call, name: string, key: KeyVersion, deletedDate: number): Json {
  return { ...deletion(call, 'keys', name, deletedDate), ...bundle(call, name, key) }
}

/** Believed. */
function belongsToCertificate() {
  return vaultError(403, 'Forbidden', 'The key belongs to a certificate; change the certificate.')
}

const signers = new WeakMap<KeyVersion, DigestSigner>()

function signOne(call: Call): Answer {
  const { name, version: key } = find(call.vault.keys, 'key', call.name, call.version)
  const kid = `${call.origin}/keys/${name}/${key.version}`
  const now = seconds(call.nowMs)
  const { enabled, nbf, exp } = key.attributes
  if (!enabled) throw keyUnusable('disabled')
  if (!key.keyOps.includes('sign')) throw keyUnusable('forbidden')
  if (nbf !== undefined && now < nbf) throw keyUnusable('notYetValid')
  if (exp !== undefined && now >= exp) throw keyUnusable('expired')

  const alg = call.body.alg
  const algorithm = signatureAlgorithms.get(String(alg))
  if (algorithm === undefined)
    throw badParameter(`Property alg has invalid value: '${String(alg)}'`)
  const incompatible = 'Key and signing algorithm are incompatible. Key'
  if (algorithm.kty !== key.jwk.kty) {
    throw badParameter(
      `${incompatible} ${kid} is of type '${key.kty}', and algorithm '${String(alg)}' can only be used with a key of type '${algorithm.kty}'.`,
    )
  }
  if (algorithm.crv !== key.jwk.crv) {
    throw badParameter(
      `${incompatible} ${kid} uses curve '${key.jwk.crv}', and algorithm '${String(alg)}' can only be used with curve '${algorithm.crv}'.`,
    )
  }
  const digest = base64url(call.body.value)
  if (digest === undefined) throw badParameter('Property value has invalid value')
  if (digest.length !== algorithm.digestLength) {
    throw badParameter(
      `Invalid length of 'value': ${digest.length} bytes. ${String(alg)} requires ${algorithm.digestLength} bytes, encoded with base64url.`,
    )
  }
  const signer = signers.get(key) ?? digestSigner(key.jwk)
  signers.set(key, signer)
  const value = Buffer.from(signer(algorithm, digest)).toString('base64url')
  return { status: 200, body: { kid, value, ...(call.isManagedHsm && { alg }) } }
}

function bundle(call: Call, name: string, key: KeyVersion): Json {
  const { n, e, crv, x, y } = key.jwk
  return {
    key: {
      kid: `${call.origin}/keys/${name}/${key.version}`,
      kty: key.kty,
      key_ops: key.keyOps,
      ...(isRsa(key.kty) ? { n, e } : { crv, x, y }),
    },
    ...attributesAndTags(call, key),
  }
}

function listItem(call: Call, kid: string, key: KeyVersion): Json {
  return { kid, ...attributesAndTags(call, key) }
}

/** `key_size` came with API version 2025-07-01 (recorded for RSA). */
function attributesAndTags(call: Call, key: KeyVersion): Json {
  const { enabled, ...rest } = showAttributes(key.attributes)
  const size = isRsa(key.kty) && isDated(call.apiVersion) ? { key_size: rsaSize(key.jwk) } : {}
  const platform = call.isManagedHsm ? {} : { hsmPlatform: isHsm(key.kty) ? '2' : '0' }
  return {
    attributes: { enabled, ...size, ...rest, exportable: false, ...platform },
    ...showTags(key.tags),
    ...(key.managed && { managed: true }),
  }
}

function parseKeyOps(call: Call, value: unknown, kty: KeyType): readonly string[] {
  const defaults = call.isManagedHsm ? managedHsmKeyOps : defaultKeyOps
  const known: readonly string[] = isRsa(kty) ? defaults.RSA : defaults.EC
  if (value === undefined) return known
  if (!Array.isArray(value)) throw badParameter('Property key_ops has invalid value')
  return value.map((operation) => {
    if (typeof operation === 'string' && known.includes(operation)) return operation
    throw badParameter('Property key_ops has invalid value')
  })
}

function base64url(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]*$/.test(value)) return undefined
  return Buffer.from(value, 'base64url')
}
