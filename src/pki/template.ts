import { checkAgrees } from './agreement.ts'
import type { Authority } from './authority.ts'
import { sameBytes } from './bytes.ts'
import { type CaLimits, chooseBasicConstraints, nameCa } from './ca_request.ts'
import type { Certificate } from './certificate.ts'
import type { CertificateSigningRequest } from './csr.ts'
import type { BasicConstraints } from './extensions.ts'
import type { NameKind } from './general_names.ts'
import { checkIdentity } from './identity.ts'
import { chooseNameConstraints } from './imposed_constraints.ts'
import { type InformationUrls, noInformationUrls } from './information_urls.ts'
import type { KeyUsage } from './key_usage.ts'
import { isEmptyName, nameText } from './names.ts'
import { oid } from './oids.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import { keyIdentifier, type SubjectKey } from './subject_key.ts'
import { assembleCertificate, encodeBody } from './tbs.ts'
import { checkUsages } from './usages.ts'
import { chooseValidity, type ValidityLimits } from './validity.ts'

const decided: unique symbol = Symbol('made by decide')

/** A certificate that may be signed. Only `decide` makes one. */
export interface CertificateDecision extends CertificateContents {
  readonly [decided]: true
  /** The certificate with no signature in it, read back and found to say the rest of the decision. */
  readonly draft: Certificate
}

/** Everything that a certificate will say. */
export interface CertificateContents {
  readonly authority: Authority
  /** Content octets of the INTEGER. */
  readonly serialNumber: Uint8Array
  /** Milliseconds since the Unix epoch, whole seconds. */
  readonly notBefore: number
  readonly notAfter: number
  /** Name, DER, as in the request; see `nameCa` for a CA without one. */
  readonly subject: Uint8Array
  readonly key: SubjectKey
  readonly basicConstraints: BasicConstraints
  /** 0: no keyUsage extension. */
  readonly keyUsage: KeyUsage
  /** OIDs of key purposes; none: no extKeyUsage extension. */
  readonly purposes: readonly string[]
  /** The value of the extension as in the request. */
  readonly subjectAltName: { readonly critical: boolean; readonly value: Uint8Array } | undefined
  /** The value of the extension; a CA has it, a leaf never. */
  readonly nameConstraints: Uint8Array | undefined
  readonly subjectKeyIdentifier: Uint8Array
  readonly authorityKeyIdentifier: Uint8Array
  readonly urls: InformationUrls
  /** What was asked for and is not given as asked, one sentence each. */
  readonly notes: readonly string[]
}

/** What a CertificateRequest says beside its CSR. */
export interface IssuanceRequest {
  readonly isCA: boolean
  /** cert-manager's names; empty means its default. */
  readonly usages: readonly string[]
  readonly durationMs?: number | undefined
}

/** The bounds an issuer sets. */
export interface Limits extends ValidityLimits {
  /** Kinds of alternative names that are given; DNS names alone when left out. */
  readonly nameKinds?: readonly NameKind[] | undefined
  /** CAs are given within these; none when left out. */
  readonly ca?: CaLimits | undefined
}

export interface DecisionInput {
  readonly csr: CertificateSigningRequest
  readonly request: IssuanceRequest
  readonly limits: Limits
  readonly authority: Authority
  readonly urls?: InformationUrls | undefined
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  /** `serialLength` octets from a cryptographic generator. */
  readonly serialBytes: Uint8Array
}

export const serialLength = 16

/** In the place of a signature while there is none. */
const noSignature = new Uint8Array(1)

/** Decides what certificate answers the request, or why none does. */
export function decide(input: DecisionInput): Parsed<CertificateDecision> {
  return parsed(() => {
    const contents = chooseContents(input)
    const { algorithm } = contents.authority
    const der = assembleCertificate(encodeBody(contents), algorithm, noSignature)
    return { ...contents, [decided]: true, draft: checkAgrees(der, contents) }
  })
}

function chooseContents(input: DecisionInput): CertificateContents {
  const { request, limits, authority, now, serialBytes } = input
  const csr = request.isCA ? nameCa(input.csr) : input.csr
  const basicConstraints = chooseBasicConstraints(csr, request.isCA, limits.ca, authority)
  checkIdentity(csr, request.isCA, limits.nameKinds, authority)
  if (sameBytes(csr.key.spki, authority.certificate.key.spki)) {
    refuse('subject-key-is-ca-key', 'the request is for the key of the CA itself; make a new key')
  }
  const usages = checkUsages(csr, request, authority)
  const validity = chooseValidity(request.durationMs, limits, authority, now)
  return {
    authority,
    serialNumber: serialNumberFrom(serialBytes),
    notBefore: validity.notBefore,
    notAfter: validity.notAfter,
    subject: csr.subject,
    key: csr.key,
    basicConstraints,
    keyUsage: usages.keyUsage,
    purposes: usages.purposes,
    subjectAltName: subjectAltNameOf(csr),
    nameConstraints: chooseNameConstraints(csr, request.isCA, limits.ca?.nameConstraints),
    subjectKeyIdentifier: keyIdentifier(csr.key),
    authorityKeyIdentifier: authorityKeyIdentifierOf(authority),
    urls: input.urls ?? noInformationUrls,
    notes: [
      ...(csr === input.csr ? [] : [namedNote(csr)]),
      ...csr.droppedExtensions.map(droppedNote),
      ...usages.notes,
      ...validity.notes,
    ],
  }
}

/** The extension as it was sent; critical exactly when the subject says nothing (RFC 5280 §4.2.1.6). */
function subjectAltNameOf({ subject, extensions }: CertificateSigningRequest) {
  const extension = extensions.all.find((one) => one.oid === oid.subjectAltName)
  return extension && { critical: isEmptyName(subject), value: extension.value }
}

/** The CA's own word for its key, since validators compare octets; else what it should have said. */
function authorityKeyIdentifierOf({ certificate }: Authority): Uint8Array {
  return certificate.extensions.subjectKeyIdentifier ?? keyIdentifier(certificate.key)
}

/** Positive, of constant length and minimal: the first octet is 01 to 7f (RFC 5280 §4.1.2.2). */
export function serialNumberFrom(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== serialLength)
    throw new TypeError(`serialBytes must have ${serialLength} octets`)
  const [first = 0, ...rest] = bytes
  return Uint8Array.of(1 + (first % 127), ...rest)
}

function namedNote({ subject }: CertificateSigningRequest): string {
  return `a CA needs a subject and the CSR has none, so it was named ${nameText(subject)}`
}

function droppedNote(extension: string): string {
  return `extension ${extension} of the CSR is not supported and was left out`
}
