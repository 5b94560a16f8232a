import { badParameter, secretDisabled, vaultError } from './errors.ts'
import type { Answer, Json } from './http.ts'
import {
  addVersion,
  changedAttributes,
  deletion,
  find,
  findDeleted,
  newAttributes,
  newVersionId,
  page,
  parseTags,
  remove,
  showAttributes,
  showTags,
} from './objects.ts'
import { type Call, isDated, type Operation, offer } from './operation.ts'
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
  offer(
    'GET deletedsecrets/{name}',
    'deletedsecrets/get',
    'secrets/readMetadata/action',
    getDeleted,
  ),
  offer('DELETE deletedsecrets/{name}', 'deletedsecrets/purge', 'secrets/purge/action', purge),
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
  // No secret here holds a PFX, the only thing the service converts.
  if (call.query.has('outContentType')) {
    throw badParameter(
      "The 'Unsupported' to 'PEM' transformation is not supported. Only PFX to PEM transformation is supported.",
    )
  }
  const id = `${call.origin}/secrets/${name}/${secret.version}`
  const previous = all[all.indexOf(secret) - 1]
  return {
    status: 200,
    body: {
      value: secret.value,
      ...properties(id, secret),
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
  remove(call.vault.secrets, 'secret', call.name, call.nowMs)
  return getDeleted(call)
}

function getDeleted(call: Call): Answer {
  const { name, version, deletedDate } = findDeleted(call.vault.secrets, 'secret', call.name)
  const id = `${call.origin}/secrets/${name}/${version.version}`
  const body = { ...deletion(call, 'secrets', name, deletedDate), ...properties(id, version) }
  return { status: 200, body }
}

function purge(call: Call): Answer {
  findDeleted(call.vault.secrets, 'secret', call.name)
  call.vault.secrets.deleted.delete(call.name.toLowerCase())
  return { status: 204 }
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
