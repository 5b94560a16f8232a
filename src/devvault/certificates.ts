import { createPrivateKey, hash, X509Certificate } from 'node:crypto'
import { keyOpsOf, policyOf } from './certificate_policy.ts'
import { badParameter, vaultError } from './errors.ts'
import { type Answer, isJson, type Json } from './http.ts'
import { defaultKeyOps, privateJwk } from './keys.ts'
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
  refuseDeletedName,
  remove,
  seconds,
  showAttributes,
  showListedAttributes,
  showTags,
} from './objects.ts'
import { type Call, type Operation, offer } from './operation.ts'
import type { Attributes, CertificateVersion } from './state.ts'

/**
 * Recorded: the bundle with and without version, import and the policy it makes, update, lists,
 * deletion, the three objects of one name and version. Believed: texts of refused imports; that a
 * later change of `enabled` leaves key and secret alone (documented as mirrored at creation only).
 * Not offered: creation and its operations, merge, PFX, contacts, issuers, backup, recovery.
 */
export const certificateOperations: readonly Operation[] = [
  offer('GET certificates', 'certificates/list', 'certificates/read', list),
  offer(
    'POST certificates/{name}/import',
    'certificates/import',
    'certificates/import/action',
    importPem,
  ),
  offer('GET certificates/{name}/versions', 'certificates/versions', 'certificates/read', versions),
  offer('GET certificates/{name}/policy', 'certificates/policy', 'certificates/read', getPolicy),
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
  offer(
    'GET deletedcertificates/{name}',
    'deletedcertificates/get',
    'certificates/read',
    getDeleted,
  ),
  offer(
    'DELETE deletedcertificates/{name}',
    'deletedcertificates/purge',
    'certificates/purge/action',
    purge,
  ),
]

const pemType = 'application/x-pem-file'

function importPem(call: Call): Answer {
  const { value, preserveCertOrder } = call.body
  const { contentType, exportable } = parsePolicy(call.body.policy)
  if (typeof value !== 'string') throw badParameter('Property value has invalid value')
  if (contentType !== pemType) {
    throw badParameter(
      'The specified PKCS#12 X.509 certificate content can not be read. (This dev vault imports PEM only: set policy.secret_props.contentType to application/x-pem-file.)',
    )
  }
  if (preserveCertOrder !== undefined && typeof preserveCertOrder !== 'boolean') {
    throw badParameter('Property preserveCertOrder has invalid value')
  }
  const { keyPem, leaf, chain } = parsePem(value, preserveCertOrder === true)
  if (leaf.validToDate.getTime() <= call.nowMs) {
    throw badParameter('The specified X.509 certificate has expired.')
  }
  refuseForeignName(call)

  const jwk = privateJwk(() => createPrivateKey(keyPem))
  const allOps = jwk.kty === 'EC' ? defaultKeyOps.EC : defaultKeyOps.RSA
  const { enabled, created, updated } = newAttributes(call.body, call.nowMs)
  const attributes: Attributes = {
    enabled,
    nbf: seconds(leaf.validFromDate.getTime()),
    exp: seconds(leaf.validToDate.getTime()),
    created,
    updated,
  }
  const shared = { version: newVersionId(call.random), attributes, ...parseTags(call.body) }
  const certificate: CertificateVersion = {
    ...shared,
    cer: leaf.raw.toString('base64'),
    policy: policyOf(leaf, jwk, { exportable, contentType }),
    ...(preserveCertOrder !== undefined && { preserveCertOrder }),
  }
  addVersion(call.vault.certificates, 'certificate', call.name, certificate)
  addVersion(call.vault.keys, 'key', call.name, {
    ...shared,
    kty: jwk.kty === 'EC' ? 'EC' : 'RSA',
    jwk,
    keyOps: keyOpsOf(leaf, allOps),
    managed: true,
  })
  addVersion(call.vault.secrets, 'secret', call.name, {
    ...shared,
    contentType,
    value: [...(exportable ? [keyPem] : []), ...chain].join(''),
    managed: true,
  })
  return answer(call, call.name, certificate, { policy: true })
}

function get(call: Call): Answer {
  const found = find(call.vault.certificates, 'certificate', call.name, call.version)
  return answer(call, found.name, found.version, { policy: call.version === '' })
}

function getPolicy(call: Call): Answer {
  const { name, version } = find(call.vault.certificates, 'certificate', call.name, '')
  return { status: 200, body: showPolicy(call, name, version) }
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
  Object.assign(version, { attributes, ...parseTags(call.body) })
  return answer(call, name, version, { policy: call.version === '' })
}

function list(call: Call): Answer {
  const items = [...call.vault.certificates.live.values()].flatMap(({ name, versions: all }) => {
    const latest = all.at(-1)
    const id = `${call.origin}/certificates/${name}`
    return latest ? [{ id: name.toLowerCase(), item: listItem(id, latest) }] : []
  })
  return page(call, 'certificates', items)
}

function versions(call: Call): Answer {
  const entry = call.vault.certificates.live.get(call.name.toLowerCase())
  const items = (entry?.versions ?? []).map((one) => ({
    id: one.version,
    item: listItem(`${call.origin}/certificates/${entry?.name}/${one.version}`, one),
  }))
  return page(call, `certificates/${call.name}/versions`, items)
}

function removeCertificate(call: Call): Answer {
  remove(call.vault.certificates, 'certificate', call.name, call.nowMs)
  remove(call.vault.keys, 'key', call.name, call.nowMs)
  remove(call.vault.secrets, 'secret', call.name, call.nowMs)
  return getDeleted(call)
}

function getDeleted(call: Call): Answer {
  const found = findDeleted(call.vault.certificates, 'certificate', call.name)
  const bundle = answer(call, found.name, found.version, { policy: true }).body
  const body = {
    ...deletion(call, 'certificates', found.name, found.deletedDate),
    ...(isJson(bundle) && bundle),
  }
  return { status: 200, body }
}

function purge(call: Call): Answer {
  findDeleted(call.vault.certificates, 'certificate', call.name)
  const { certificates, keys, secrets } = call.vault
  for (const { deleted } of [certificates, keys, secrets]) deleted.delete(call.name.toLowerCase())
  return { status: 204 }
}

function answer(
  call: Call,
  name: string,
  certificate: CertificateVersion,
  shown: { readonly policy: boolean },
): Answer {
  const { version, cer, preserveCertOrder } = certificate
  const body = {
    id: `${call.origin}/certificates/${name}/${version}`,
    kid: `${call.origin}/keys/${name}/${version}`,
    sid: `${call.origin}/secrets/${name}/${version}`,
    x5t: thumbprint(cer),
    cer,
    attributes: showAttributes(certificate.attributes),
    ...showTags(certificate.tags),
    ...(shown.policy && { policy: showPolicy(call, name, certificate) }),
    ...(preserveCertOrder !== undefined && { preserveCertOrder }),
  }
  return { status: 200, body }
}

function showPolicy(call: Call, name: string, { policy, attributes }: CertificateVersion): Json {
  const { created } = attributes
  return {
    id: `${call.origin}/certificates/${name}/policy`,
    ...policy,
    attributes: { enabled: true, created, updated: created },
  }
}

/** The empty subject is recorded: lists never tell it. */
function listItem(id: string, { cer, attributes, tags }: CertificateVersion): Json {
  return {
    id,
    x5t: thumbprint(cer),
    attributes: showListedAttributes(attributes),
    ...showTags(tags),
    subject: '',
  }
}

function thumbprint(cer: string): string {
  return hash('sha1', Buffer.from(cer, 'base64'), 'base64url')
}

/** The name must be free, or this certificate's, in all three collections. */
function refuseForeignName(call: Call): void {
  const { certificates, keys, secrets } = call.vault
  refuseDeletedName(certificates, 'certificate', call.name)
  refuseDeletedName(keys, 'key', call.name)
  refuseDeletedName(secrets, 'secret', call.name)
  const id = call.name.toLowerCase()
  if (certificates.live.has(id)) return
  if (keys.live.has(id) || secrets.live.has(id)) {
    throw vaultError(409, 'Conflict', `A key or secret named ${call.name} exists already.`)
  }
}

function parsePolicy(value: unknown): { contentType: string; exportable: boolean } {
  const policy = isJson(value) ? value : {}
  const secretProps = isJson(policy.secret_props) ? policy.secret_props : {}
  const keyProps = isJson(policy.key_props) ? policy.key_props : {}
  const { contentType = 'application/x-pkcs12' } = secretProps
  const { exportable = true } = keyProps
  if (typeof contentType !== 'string') {
    throw badParameter('Property policy.secret_props.contentType has invalid value')
  }
  if (typeof exportable !== 'boolean') {
    throw badParameter('Property policy.key_props.exportable has invalid value')
  }
  return { contentType, exportable }
}

interface ParsedPem {
  /** PKCS#8. */
  readonly keyPem: string
  readonly leaf: X509Certificate
  readonly chain: readonly string[]
}

/** PKCS#8 key and certificates, the leaf being the one of the key; the rest keeps its order. */
function parsePem(text: string, preserveOrder: boolean): ParsedPem {
  const refusal = badParameter(
    'The specified PEM X.509 certificate content is in an unexpected format. Please check if certificate is in valid PEM format.',
  )
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g) ?? []
  const [keyBlock, ...otherKeys] = blocks.filter((block) => block.includes('BEGIN PRIVATE KEY'))
  const certificateBlocks = blocks.filter((block) => block.includes('BEGIN CERTIFICATE'))
  if (!keyBlock || otherKeys.length > 0 || certificateBlocks.length === 0) throw refusal
  try {
    const key = createPrivateKey(keyBlock)
    const certificates = certificateBlocks.map((block) => new X509Certificate(block))
    const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key))
    if (!leaf) throw refusal
    const ordered = preserveOrder
      ? certificates
      : [leaf, ...certificates.filter((certificate) => certificate !== leaf)]
    const keyPem = key.export({ format: 'pem', type: 'pkcs8' }).toString()
    return { keyPem, leaf, chain: ordered.map(String) }
  } catch {
    throw refusal
  }
}
