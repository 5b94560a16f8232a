import { type Element, readDer, tags } from './der.ts'
import { expectTag, Fields, readOid, readSmallInteger } from './der_fields.ts'
import { type GeneralName, readGeneralNames } from './general_names.ts'
import { type KeyUsage, readKeyUsage } from './key_usage.ts'
import { type NameConstraints, readNameConstraints } from './name_constraints.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'

/** One Extension (RFC 5280 §4.1). */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** The octets inside the OCTET STRING. */
  readonly value: Uint8Array
  readonly der: Uint8Array
}

export interface BasicConstraints {
  readonly ca: boolean
  readonly pathLength: number | undefined
}

/** What the extensions that we know say. `all` has every one, in the order of the encoding. */
export interface Extensions {
  readonly all: readonly Extension[]
  readonly basicConstraints: BasicConstraints | undefined
  readonly keyUsage: KeyUsage | undefined
  /** OIDs of key purposes. */
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly subjectAltName: readonly GeneralName[] | undefined
  readonly nameConstraints: NameConstraints | undefined
  readonly subjectKeyIdentifier: Uint8Array | undefined
  readonly authorityKeyIdentifier: Uint8Array | undefined
}

export const noExtensions: Extensions = readExtensionList([])

/** Reads a SEQUENCE OF Extension. */
export function readExtensions(element: Element, what: string): Extensions {
  const extensions = expectTag(element, tags.sequence, `the extensions of ${what}`).children.map(
    (extension) => readExtension(extension, what),
  )
  if (extensions.length === 0) {
    refuse('extension-malformed', `the list of extensions of ${what} is empty`)
  }
  const seen = new Set<string>()
  for (const extension of extensions) {
    if (seen.has(extension.oid)) {
      refuse('extension-duplicate', `${what} has extension ${extension.oid} twice`)
    }
    seen.add(extension.oid)
  }
  return readExtensionList(extensions)
}

function readExtensionList(all: readonly Extension[]): Extensions {
  function value<T>(id: string, read: (element: Element) => T): T | undefined {
    const extension = all.find((one) => one.oid === id)
    return extension && read(readDer(extension.value, `extension ${id}`))
  }
  return {
    all,
    basicConstraints: value(oid.basicConstraints, readBasicConstraints),
    keyUsage: value(oid.keyUsage, readKeyUsage),
    extendedKeyUsage: value(oid.extKeyUsage, readPurposes),
    subjectAltName: value(oid.subjectAltName, readGeneralNames),
    nameConstraints: value(oid.nameConstraints, readNameConstraints),
    subjectKeyIdentifier: value(oid.subjectKeyIdentifier, readSubjectKeyIdentifier),
    authorityKeyIdentifier: value(oid.authorityKeyIdentifier, readAuthorityKeyIdentifier),
  }
}

function readExtension(element: Element, what: string): Extension {
  const fields = new Fields(element, `an extension of ${what}`)
  const id = readOid(fields.required('extnID'), `an extension of ${what}`)
  const critical = fields.optional(tags.boolean)
  const value = fields.required('extnValue', tags.octetString).content
  fields.end()
  if (critical?.content[0] === 0x00) {
    // X.690 §11.5: a default value is left out.
    refuse('der-malformed', `extension ${id} of ${what} spells out critical FALSE`)
  }
  return { oid: id, critical: critical !== undefined, value, der: element.der }
}

function readBasicConstraints(element: Element): BasicConstraints {
  const fields = new Fields(element, 'basicConstraints')
  const ca = fields.optional(tags.boolean)?.content[0] === 0xff
  const length = fields.optional(tags.integer)
  fields.end()
  const pathLength = length && readSmallInteger(length, 'pathLenConstraint')
  if (pathLength !== undefined && !ca) {
    refuse('extension-malformed', 'basicConstraints has a pathLenConstraint without cA TRUE')
  }
  return { ca, pathLength }
}

function readPurposes(element: Element): readonly string[] {
  const purposes = expectTag(element, tags.sequence, 'extKeyUsage').children.map((purpose) =>
    readOid(purpose, 'a key purpose'),
  )
  if (purposes.length === 0) refuse('extension-malformed', 'extKeyUsage holds no key purpose')
  return purposes
}

function readSubjectKeyIdentifier(element: Element): Uint8Array {
  return expectTag(element, tags.octetString, 'subjectKeyIdentifier').content
}

/** The key identifier alone; issuer and serial number are neither used nor written. */
function readAuthorityKeyIdentifier(element: Element): Uint8Array | undefined {
  return new Fields(element, 'authorityKeyIdentifier').optional(0x80)?.content
}
