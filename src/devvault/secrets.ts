import { createPrivateKey, X509Certificate } from 'node:crypto'
import {
  deletedPage,
  deletion,
  type FoundDeleted,
  findDeleted,
  purge,
  recover,
  remove,
} from './deletion.ts'
import { badParameter, secretDisabled, vaultError } from './errors.ts'
import type { Answer, Json } from './http.ts'
import {
  addVersion,
  changedAttributes,
  find,
  newAttributes,
  newVersionId,
  page,
  parseTags,
  showAttributes,
  showTags,
} from './objects.ts'
import { type Call, isDated, type Operation, offer } from './operation.ts'
import { readPfx } from './pkcs12_read.ts'
import { pemType, pfxType } from './policy_request.ts'
import type { SecretVersion } from './state.ts'

/** Recorded: the bundle, lists, the disabled secret, deletion, the refusal of a conversion to PEM. */
export const secretOperations: readonly Operation[] = [
  offer('GET secrets', 'secrets/list', 'secrets/readMetadata/action', list),
  offer('PUT secrets/{name}', 'secrets/set', 'secrets/setSecret/action', setSecret),
  offer('GET secrets/{name}/versions', 'secrets/versions', 'secrets/readMetadata/action', versions),
  offer('GET secrets/{name}', 'secrets/get', 'secrets/getSecret/action', get),
  offer('GET secrets/{name}/{version}', 'secrets/get', 'secrets/getSecret/action', get),
  offer('PATCH secrets/{name}', 'secrets/update', 'secrets/update/action', update),
  offer('PATCH secrets/{name}/{version}', 'secrets/update', 'secrets/update/action', update),
  offer('DELETE secrets/{name}', 'secrets/delete', 'secrets/delete', removeSecret),
  offer('GET deletedsecrets', 'deletedsecrets/list', 'secrets/readMetadata/action', listDeleted),
  offer(
    'GET deletedsecrets/{name}',
    'deletedsecrets/get',
    'secrets/readMetadata/action',
    getDeleted,
  ),
  offer(
    'POST deletedsecrets/{name}/recover',
    'deletedsecrets/recover',
    'secrets/recover/action',
    recoverSecret,
  ),
  offer('DELETE deletedsecrets/{name}', 'deletedsecrets/purge', 'secrets/purge/action', (call) =>
    purge(call, call.vault.secrets, 'secret'),
  ),
]

const valueLimit = 25_600

function setSecret(call: Call): Answer {
  const { value } = call.body
  if (typeof value !== 'string' || value.length > valueLimit) {
    throw badParameter('Property value has invalid value')
  }
  const existing = call.vault.secrets.live.get(call.name.toLowerCase())
  if (existing?.versions.at(-1)?.managed) throw belongsToCertificate()
  const secret: SecretVersion = {
    version: newVersionId(call.random),
    value,
    managed: false,
    attributes: newAttributes(call.body, call.nowMs),
    ...parseContentType(call.body),
    ...parseTags(call.body),
  }
  addVersion(call.vault.secrets, 'secret', call.name, secret)
  const id = `${call.origin}/secrets/${existing?.name ?? call.name}/${secret.version}`
  return { status: 200, body: { value, ...properties(id, secret) } }
}

function get(call: Call): Answer {
  const {
    name,
    version: secret,
    versions: all,
  } = find(call.vault.secrets, 'secret', call.name, call.version)
  if (!secret.attributes.enabled) throw secretDisabled()
  const shown = converted(secret, call.query.get('outContentType'))
  const id = `${call.origin}/secrets/${name}/${secret.version}`
  const previous = all[all.indexOf(secret) - 1]
  return {
    status: 200,
    body: {
      ...properties(id, secret),
      ...shown,
      ...(secret.managed && { kid: `${call.origin}/keys/${name}/${secret.version}` }),
      ...(secret.managed &&
        previous &&
        isDated(call.apiVersion) && { previousVersion: previous.version }),
    },
  }
}

function update(call: Call): Answer {
  const { name, version: secret } = find(call.vault.secrets, 'secret', call.name, call.version)
  const attributes = changedAttributes(secret.attributes, call.body, call.nowMs)
  Object.assign(secret, { attributes, ...parseContentType(call.body), ...parseTags(call.body) })
  const id = `${call.origin}/secrets/${name}/${secret.version}`
  return { status: 200, body: properties(id, secret) }
}

function list(call: Call): Answer {
  const items = [...call.vault.secrets.live.values()].flatMap(({ name, versions: all }) => {
    const latest = all.at(-1)
    const id = `${call.origin}/secrets/${name}`
    return latest ? [{ id: name.toLowerCase(), item: properties(id, latest) }] : []
  })
  return page(call, 'secrets', items)
}

function versions(call: Call): Answer {
  const entry = call.vault.secrets.live.get(call.name.toLowerCase())
  const items = (entry?.versions ?? []).map((secret) => ({
    id: secret.version,
    item: properties(`${call.origin}/secrets/${entry?.name}/${secret.version}`, secret),
  }))
  return page(call, `secrets/${call.name}/versions`, items)
}

function removeSecret(call: Call): Answer {
  if (find(call.vault.secrets, 'secret', call.name, '').version.managed) {
    throw belongsToCertificate()
  }
  return { status: 200, body: deletedBundle(call, remove(call, call.vault.secrets, 'secret')) }
}

function getDeleted(call: Call): Answer {
  return { status: 200, body: deletedBundle(call, findDeleted(call, call.vault.secrets, 'secret')) }
}

function listDeleted(call: Call): Answer {
  return deletedPage(call, call.vault.secrets, 'secrets', (name, version) =>
    properties(`${call.origin}/secrets/${name}`, version),
  )
}

function recoverSecret(call: Call): Answer {
  const deleted = call.vault.secrets.deleted.get(call.name.toLowerCase())
  if (deleted?.entry.versions.at(-1)?.managed) throw belongsToCertificate()
  const { name, version } = recover(call, call.vault.secrets, 'secret')
  return {
    status: 200,
    body: properties(`${call.origin}/secrets/${name}/${version.version}`, version),
  }
}

function deletedBundle(call: Call, found: FoundDeleted<SecretVersion>): Json {
  const { name, version, deletedDate } = found
  const id = `${call.origin}/secrets/${name}/${version.version}`
  return { ...deletion(call, 'secrets', name, deletedDate), ...properties(id, version) }
}

function properties(id: string, secret: SecretVersion): Json {
  return {
    ...(secret.contentType !== undefined && { contentType: secret.contentType }),
    id,
    ...(secret.managed && { managed: true }),
    attributes: showAttributes(secret.attributes),
    ...showTags(secret.tags),
  }
}

/**
 * `outContentType` of API version 2025-07-01. Recorded: the refusal for plain secrets, even those
 * that call themselves a PFX. Believed: the result of a conversion, with the leaf before its chain.
 */
function converted(
  secret: SecretVersion,
  wanted: string | null,
): { readonly value: string; readonly contentType?: string } {
  if (wanted === null) return { value: secret.value }
  if (wanted !== pemType && wanted !== pfxType) {
    throw badParameter('Property outContentType has invalid value')
  }
  const isPfx = secret.managed && secret.contentType === pfxType
  if (isPfx && wanted === pfxType) return { value: secret.value }
  const pem = isPfx && wanted === pemType ? pemFromPfx(secret.value) : undefined
  if (pem === undefined) {
    const from = isPfx ? 'PFX' : 'Unsupported'
    const to = wanted === pemType ? 'PEM' : 'PFX'
    throw badParameter(
      `The '${from}' to '${to}' transformation is not supported. Only PFX to PEM transformation is supported.`,
    )
  }
  return { value: pem, contentType: pemType }
}

function pemFromPfx(value: string): string | undefined {
  const file = readPfx(Buffer.from(value, 'base64'), '')
  if (file.kind !== 'read') return undefined
  const [pkcs8] = file.keys
  const key = pkcs8 && createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const certificates = file.certificates.map((der) => new X509Certificate(der))
  const leaf = key && certificates.find((certificate) => certificate.checkPrivateKey(key))
  const others = certificates.filter((certificate) => certificate !== leaf)
  // Without a key in it the file's own order, from the root down, is all there is to go by.
  const ordered = leaf ? [leaf, ...others.toReversed()] : others.toReversed()
  const keyPem = key ? key.export({ format: 'pem', type: 'pkcs8' }).toString() : ''
  return [keyPem, ...ordered].join('')
}

function parseContentType(body: Json): { readonly contentType?: string } {
  const { contentType } = body
  if (contentType === undefined || contentType === null) return {}
  if (typeof contentType === 'string') return { contentType }
  throw badParameter('Property contentType has invalid value')
}

/** Believed. */
function belongsToCertificate() {
  return vaultError(
    403,
    'Forbidden',
    'The secret belongs to a certificate; change the certificate.',
  )
}
