import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { showCertificate } from './certificate_bundle.ts'
import { policyOf } from './certificate_policy.ts'
import {
  parseCertificate,
  publish,
  refuseForeignName,
  refuseWhilePending,
} from './certificate_versions.ts'
import { badParameter } from './errors.ts'
import { type Answer, isJson } from './http.ts'
import { privateJwk } from './key_kinds.ts'
import { newAttributes, parseTags, seconds } from './objects.ts'
import type { Call } from './operation.ts'
import { readPfx } from './pkcs12_read.ts'
import { pemType, pfxType } from './policy_request.ts'

/**
 * Recorded: the policy rewritten from the certificate. Believed: texts of refused imports but for
 * the two about unreadable content; that a PFX is written anew with a blank password.
 */
export function importCertificate(call: Call): Answer {
  const { value, preserveCertOrder, pwd } = call.body
  const { contentType, exportable } = parseImportPolicy(call.body.policy)
  if (typeof value !== 'string') throw badParameter('Property value has invalid value')
  if (pwd !== undefined && (typeof pwd !== 'string' || pwd.length > 200)) {
    throw badParameter('Property pwd has invalid value')
  }
  if (preserveCertOrder !== undefined && typeof preserveCertOrder !== 'boolean') {
    throw badParameter('Property preserveCertOrder has invalid value')
  }
  const content = contentType === pemType ? parsePem(value) : parsePfx(value, pwd ?? '')
  const { key, certificates } = content
  const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key))
  if (leaf === undefined) throw mismatch()
  if (leaf.validToDate.getTime() <= call.nowMs) {
    throw badParameter('The specified X.509 certificate has expired.')
  }
  refuseWhilePending(call.vault, call.name)
  refuseForeignName(call.vault, call.name)

  const jwk = privateJwk(() => key)
  const policy = policyOf(leaf, jwk, { exportable, contentType })
  const id = call.name.toLowerCase()
  const now = seconds(call.nowMs)
  const created = call.vault.issuance.get(id)?.created ?? now
  call.vault.issuance.set(id, { policy, created, updated: now })
  const chain =
    preserveCertOrder === true
      ? certificates
      : [leaf, ...certificates.filter((certificate) => certificate !== leaf)]
  const { enabled } = newAttributes(call.body, call.nowMs)
  const certificate = publish(
    call.vault,
    {
      name: call.name,
      jwk,
      leaf,
      chain,
      policy,
      enabled,
      ...parseTags(call.body),
      ...(preserveCertOrder !== undefined && { preserveCertOrder }),
    },
    call.nowMs,
    call.random,
  )
  return { status: 200, body: showCertificate(call, call.name, certificate, { latest: true }) }
}

interface Content {
  readonly key: KeyObject
  readonly certificates: readonly X509Certificate[]
}

/** Unencrypted PKCS#8 and certificates, in any order. */
function parsePem(text: string): Content {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g) ?? []
  const [keyBlock, ...otherKeys] = blocks.filter((block) => block.includes('BEGIN PRIVATE KEY'))
  const certificateBlocks = blocks.filter((block) => block.includes('BEGIN CERTIFICATE'))
  if (keyBlock && otherKeys.length === 0 && certificateBlocks.length > 0) {
    try {
      const certificates = certificateBlocks.map((block) => new X509Certificate(block))
      return { key: createPrivateKey(keyBlock), certificates }
    } catch {}
  }
  throw badParameter(
    'The specified PEM X.509 certificate content is in an unexpected format. Please check if certificate is in valid PEM format.',
  )
}

function parsePfx(value: string, password: string): Content {
  const file = readPfx(Buffer.from(value, 'base64'), password)
  if (file.kind === 'wrong password') {
    throw badParameter('The specified PKCS#12 X.509 certificate password is incorrect.')
  }
  if (file.kind === 'unsupported') {
    throw badParameter(`${unreadable} (This dev vault does not read ${file.algorithm}.)`)
  }
  if (file.kind === 'malformed') throw badParameter(unreadable)
  const certificates = file.certificates.map(parseCertificate).filter((one) => one !== undefined)
  const [pkcs8, ...others] = file.keys
  if (pkcs8 === undefined || others.length > 0 || certificates.length === 0) throw mismatch()
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    return { key, certificates }
  } catch {
    throw badParameter(unreadable)
  }
}

const unreadable =
  'The specified PKCS#12 X.509 certificate content can not be read. Please check if certificate is in valid PKCS#12 format.'

/** Reported. */
export function mismatch() {
  return badParameter(
    'The public key of the end-entity certificate in the specified X.509 certificate content does not match the public part of the specified private key. Please check if certificate is valid.',
  )
}

/** The two things of a policy that an import does not take from the certificate. */
function parseImportPolicy(value: unknown): { contentType: string; exportable: boolean } {
  const policy = isJson(value) ? value : {}
  const secretProps = isJson(policy.secret_props) ? policy.secret_props : {}
  const keyProps = isJson(policy.key_props) ? policy.key_props : {}
  const { contentType = pfxType } = secretProps
  const { exportable = true } = keyProps
  if (contentType !== pfxType && contentType !== pemType) {
    throw badParameter('Property policy.secret_props.contentType has invalid value')
  }
  if (typeof exportable !== 'boolean') {
    throw badParameter('Property policy.key_props.exportable has invalid value')
  }
  return { contentType, exportable }
}
