import { type Element, readDer, tags } from './der.ts'
import { expectTag, Fields, readOid, readSmallInteger } from './der_fields.ts'
import { type Extension, type Extensions, noExtensions, readExtensions } from './extensions.ts'
import { requestedSubject } from './name_rules.ts'
import { oid } from './oids.ts'
import { readRequestPem } from './pem.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import { checkKeyStrength } from './rsa_strength.ts'
import { checkSignature, readSigned } from './signed.ts'
import { checkSubjectAltNames } from './subject_alt_names.ts'
import { readSubjectKey, type SubjectKey } from './subject_key.ts'

/**
 * A PKCS #10 certification request (RFC 2986) that proved to be by the holder of its key. The
 * octets are those that were sent.
 */
export interface CertificateSigningRequest {
  readonly der: Uint8Array
  /** Name, DER; empty where no attribute of it had a value. */
  readonly subject: Uint8Array
  readonly key: SubjectKey
  readonly extensions: Extensions
  /** OIDs of extensions that were asked for and will not be in a certificate; none was critical. */
  readonly droppedExtensions: readonly string[]
}

/** Parses `spec.request` of a CertificateRequest, after base64: PEM with one request. */
export function parseCsr(pem: string): Parsed<CertificateSigningRequest> {
  return parsed(() => readCsr(readRequestPem(pem)))
}

function readCsr(der: Uint8Array): CertificateSigningRequest {
  const what = 'the certificate signing request'
  const signed = readSigned(readDer(der, what), what)

  const info = new Fields(signed.body, what)
  const version = readSmallInteger(info.required('version'), `the version of ${what}`)
  if (version !== 0) refuse('version', `${what} has version ${version}; expected 0`)
  const name = info.required('subject')
  const key = readSubjectKey(info.required('public key'))
  const attributes = info.optional(0xa0)
  info.end()

  checkKeyStrength(key)
  checkSignature(signed, key, what)
  const subject = requestedSubject(name, `the subject of ${what}`)
  const extensions = attributes ? readRequestedExtensions(attributes, what) : noExtensions
  checkSubjectAltNames(extensions.subjectAltName ?? [])
  const droppedExtensions = extensions.all.filter(isDropped).map((extension) => extension.oid)
  return { der, subject, key, extensions, droppedExtensions }
}

/** The extensions of the one extensionRequest attribute; other attributes have no say here. */
function readRequestedExtensions(attributes: Element, what: string): Extensions {
  const requests = attributes.children
    .map((attribute) => readAttribute(attribute, what))
    .filter(({ type }) => type === oid.extensionRequest || type === oid.microsoftExtensionRequest)
  const [request, ...others] = requests
  if (request === undefined) return noExtensions
  const [value, ...moreValues] = request.values
  if (value === undefined || others.length > 0 || moreValues.length > 0) {
    return refuse(
      'extension-request-duplicate',
      `${what} does not have exactly one extensionRequest with one value`,
    )
  }
  return readExtensions(value, what)
}

function readAttribute(element: Element, what: string) {
  const fields = new Fields(element, `an attribute of ${what}`)
  const type = readOid(fields.required('type'), `an attribute of ${what}`)
  const values = expectTag(fields.required('values'), tags.set, `attribute ${type} of ${what}`)
  fields.end()
  return { type, values: values.children }
}

/** Extensions that decide what is issued: copied, or compared with the CertificateRequest. */
const understood = new Set<string>([
  oid.subjectAltName,
  oid.basicConstraints,
  oid.keyUsage,
  oid.extKeyUsage,
  oid.nameConstraints,
])

function isDropped(extension: Extension): boolean {
  if (understood.has(extension.oid)) return false
  if (extension.critical) {
    refuse(
      'extension-critical-unknown',
      `the certificate signing request asks for critical extension ${extension.oid}, which is not supported; remove it or make it non-critical`,
    )
  }
  return true
}
