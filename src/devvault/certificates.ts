import {
  issuanceOf,
  showCertificate,
  showListedCertificate,
  showPolicy,
} from './certificate_bundle.ts'
import { creationOperations } from './certificate_creation.ts'
import { importCertificate } from './certificate_import.ts'
import { deletedPage, deletion, findDeleted, purge, recover, remove } from './deletion.ts'
import { badParameter } from './errors.ts'
import { type Answer, isJson, type Json } from './http.ts'
import { changedAttributes, find, page, parseTags, seconds } from './objects.ts'
import { type Call, type Operation, offer } from './operation.ts'
import { policyFrom } from './policy_request.ts'
import type { CertificateVersion } from './state.ts'

/**
 * Recorded: the bundle with and without version, import and the policy it makes, update, policy,
 * lists, deletion and recovery, the three objects of one name and version. Believed: that a later
 * change of `enabled` leaves key and secret alone (documented as mirrored at creation only).
 * Not offered: contacts, issuers, backup.
 */
export const certificateOperations: readonly Operation[] = [
  offer('GET certificates', 'certificates/list', 'certificates/read', list),
  ...creationOperations,
  offer(
    'POST certificates/{name}/import',
    'certificates/import',
    'certificates/import/action',
    importCertificate,
  ),
  offer('GET certificates/{name}/versions', 'certificates/versions', 'certificates/read', versions),
  offer('GET certificates/{name}/policy', 'certificates/policy', 'certificates/read', getPolicy),
  offer(
    'PATCH certificates/{name}/policy',
    'certificates/updatepolicy',
    'certificates/update/action',
    updatePolicy,
  ),
  offer('GET certificates/{name}', 'certificates/get', 'certificates/read', get),
  offer('GET certificates/{name}/{version}', 'certificates/get', 'certificates/read', get),
  offer('PATCH certificates/{name}', 'certificates/update', 'certificates/update/action', update),
  offer(
    'PATCH certificates/{name}/{version}',
    'certificates/update',
    'certificates/update/action',
    update,
  ),
  offer(
    'DELETE certificates/{name}',
    'certificates/delete',
    'certificates/delete',
    removeCertificate,
  ),
  offer('GET deletedcertificates', 'deletedcertificates/list', 'certificates/read', listDeleted),
  offer(
    'GET deletedcertificates/{name}',
    'deletedcertificates/get',
    'certificates/read',
    getDeleted,
  ),
  offer(
    'POST deletedcertificates/{name}/recover',
    'deletedcertificates/recover',
    'certificates/recover/action',
    recoverCertificate,
  ),
  offer(
    'DELETE deletedcertificates/{name}',
    'deletedcertificates/purge',
    'certificates/purge/action',
    purgeCertificate,
  ),
]

function get(call: Call): Answer {
  const { name, version } = find(call.vault.certificates, 'certificate', call.name, call.version)
  return shown(call, name, version)
}

function getPolicy(call: Call): Answer {
  const { name } = find(call.vault.certificates, 'certificate', call.name, '')
  return { status: 200, body: showPolicy(call, name, issuanceOf(call, name)) }
}

function updatePolicy(call: Call): Answer {
  const { name } = find(call.vault.certificates, 'certificate', call.name, '')
  changePolicy(call, name, call.body)
  return { status: 200, body: showPolicy(call, name, issuanceOf(call, name)) }
}

function changePolicy(call: Call, name: string, given: Json): void {
  const issuance = issuanceOf(call, name)
  issuance.policy = policyFrom(given, issuance.policy)
  issuance.updated = seconds(call.nowMs)
}

function update(call: Call): Answer {
  const { name, version } = find(call.vault.certificates, 'certificate', call.name, call.version)
  const given = call.body.attributes
  if (isJson(given) && (given.nbf !== undefined || given.exp !== undefined)) {
    throw badParameter(
      'Property attributes has invalid value: the dates are the certificate’s own.',
    )
  }
  const attributes = changedAttributes(version.attributes, call.body, call.nowMs)
  const tags = parseTags(call.body)
  if (isJson(call.body.policy)) changePolicy(call, name, call.body.policy)
  Object.assign(version, { attributes, ...tags })
  return shown(call, name, version)
}

/** Without `includePending=true` what has no first version yet is left out. */
function list(call: Call): Answer {
  const all = call.query.get('includePending')?.toLowerCase() === 'true'
  const items = [...call.vault.certificates.live.values()].flatMap(({ name, versions: found }) => {
    const latest = found.at(-1)
    if (latest === undefined || (latest.cer === undefined && !all)) return []
    const id = `${call.origin}/certificates/${name}`
    return [{ id: name.toLowerCase(), item: showListedCertificate(id, latest) }]
  })
  return page(call, 'certificates', items)
}

function versions(call: Call): Answer {
  const entry = call.vault.certificates.live.get(call.name.toLowerCase())
  const items = (entry?.versions ?? []).map((one) => ({
    id: one.version,
    item: showListedCertificate(`${call.origin}/certificates/${entry?.name}/${one.version}`, one),
  }))
  return page(call, `certificates/${call.name}/versions`, items)
}

/** Key and secret go and come with their certificate; a pending first version has none. */
function removeCertificate(call: Call): Answer {
  const { certificates, keys, secrets } = call.vault
  const { name, version, deletedDate } = remove(call, certificates, 'certificate')
  const id = name.toLowerCase()
  if (keys.live.has(id)) remove(call, keys, 'key')
  if (secrets.live.has(id)) remove(call, secrets, 'secret')
  return { status: 200, body: showDeleted(call, name, version, deletedDate) }
}

function getDeleted(call: Call): Answer {
  const { name, version, deletedDate } = findDeleted(call, call.vault.certificates, 'certificate')
  return { status: 200, body: showDeleted(call, name, version, deletedDate) }
}

function showDeleted(
  call: Call,
  name: string,
  version: CertificateVersion,
  deletedDate: number,
): Json {
  return {
    ...deletion(call, 'certificates', name, deletedDate),
    ...showCertificate(call, name, version, { latest: true }),
  }
}

function listDeleted(call: Call): Answer {
  return deletedPage(call, call.vault.certificates, 'certificates', (name, version) =>
    showListedCertificate(`${call.origin}/certificates/${name}`, version),
  )
}

function recoverCertificate(call: Call): Answer {
  const { certificates, keys, secrets } = call.vault
  const { name, version } = recover(call, certificates, 'certificate')
  const id = name.toLowerCase()
  if (keys.deleted.has(id)) recover(call, keys, 'key')
  if (secrets.deleted.has(id)) recover(call, secrets, 'secret')
  return shown(call, name, version, true)
}

function purgeCertificate(call: Call): Answer {
  const { certificates, keys, secrets, issuance } = call.vault
  const answer = purge(call, certificates, 'certificate')
  const id = call.name.toLowerCase()
  keys.deleted.delete(id)
  secrets.deleted.delete(id)
  issuance.delete(id)
  return answer
}

function shown(
  call: Call,
  name: string,
  version: CertificateVersion,
  latest = call.version === '',
): Answer {
  return { status: 200, body: showCertificate(call, name, version, { latest }) }
}
