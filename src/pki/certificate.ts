import { sameBytes } from './bytes.ts'
import { type Element, readDer, tags } from './der.ts'
import { explicitly, Fields, readSmallInteger } from './der_fields.ts'
import { type Extensions, noExtensions, readExtensions } from './extensions.ts'
import { nameText, readName } from './names.ts'
import { readCertificatePem } from './pem.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import { readSigned, type Signed, verifySignature } from './signed.ts'
import { readSubjectKey, type SubjectKey } from './subject_key.ts'
import { readTime } from './times.ts'

/** An X.509 certificate of version 3; octets are those of the encoding it was read from. */
export interface Certificate {
  readonly der: Uint8Array
  readonly signed: Signed
  /** Content octets of the INTEGER. */
  readonly serialNumber: Uint8Array
  /** AlgorithmIdentifier, DER; the same inside and outside. */
  readonly signatureAlgorithm: Uint8Array
  /** Name, DER. */
  readonly issuer: Uint8Array
  /** Name, DER. */
  readonly subject: Uint8Array
  /** Milliseconds since the Unix epoch; the last second is part of the validity. */
  readonly notBefore: number
  readonly notAfter: number
  readonly key: SubjectKey
  readonly extensions: Extensions
  /** Whether it names itself as issuer and its own key signed it. */
  readonly selfSigned: boolean
}

export function parseCertificate(der: Uint8Array): Parsed<Certificate> {
  return parsed(() => readCertificate(der))
}

/** Parses a PEM bundle with at least one certificate and nothing but certificates. */
export function parsePemCertificates(pem: string): Parsed<readonly Certificate[]> {
  return parsed(() => {
    const blocks = readCertificatePem(pem)
    return blocks.map((der, i) => {
      const certificate = parseCertificate(der)
      if (certificate.ok) return certificate.value
      const { rule, message } = certificate.refusal
      return refuse(rule, `${blockText(der, i + 1, blocks.length)}: ${message}`)
    })
  })
}

/** Parses a PEM that holds exactly one certificate. */
export function parsePemCertificate(pem: string): Parsed<Certificate> {
  return parsed(() => {
    const [certificate, ...others] = readCertificatePem(pem)
    if (certificate !== undefined && others.length === 0) return readCertificate(certificate)
    return refuse('pem-malformed', `${others.length + 1} certificates; expected exactly one`)
  })
}

/** What was read before: octets that are the same need not be read again. */
export interface Known {
  readonly key?: SubjectKey | undefined
  /** Its body, that is; the signature may be another. */
  readonly certificate?: Certificate | undefined
}

export function readCertificate(der: Uint8Array, known: Known = {}): Certificate {
  const signed = readSigned(readDer(der, what), what)
  const same = known.certificate
  const body =
    same && sameBytes(same.signed.body.der, signed.body.der)
      ? same
      : readBody(signed.body, known.key)
  if (!sameBytes(body.signatureAlgorithm, signed.algorithm.der)) {
    refuse('algorithm-mismatch', `${what} names one signature algorithm inside, another outside`)
  }
  const selfIssued = sameBytes(body.issuer, body.subject)
  const selfSigned = selfIssued && verifySignature(signed, body.key) === 'valid'
  return { ...body, der, signed, selfSigned }
}

const what = 'the certificate'

/** For messages: which block of a bundle is at fault, with its subject where that can be read. */
function blockText(der: Uint8Array, number: number, count: number): string {
  const subject = parsed(() => readSubject(der))
  const name = subject.ok ? ` (${nameText(subject.value)})` : ''
  return `certificate ${number} of ${count}${name}`
}

function readSubject(der: Uint8Array): Uint8Array {
  const body = new Fields(readSigned(readDer(der, what), what).body, what)
  body.optional(0xa0)
  for (const field of ['serialNumber', 'signature', 'issuer', 'validity']) body.required(field)
  const subject = body.required('subject')
  readName(subject, what)
  return subject.der
}

type Body = Omit<Certificate, 'der' | 'signed' | 'selfSigned'>

function readBody(element: Element, known: SubjectKey | undefined): Body {
  const body = new Fields(element, what)
  const version = body.optional(0xa0)
  if (version === undefined || readSmallInteger(explicitly(version, 'version'), 'version') !== 2) {
    refuse('version', `${what} is not of version 3`)
  }
  const serialNumber = body.required('serialNumber', tags.integer).content
  const signatureAlgorithm = body.required('signature', tags.sequence).der
  const issuer = body.required('issuer')
  const validity = new Fields(body.required('validity'), `the validity of ${what}`)
  const notBefore = readTime(validity.required('notBefore'))
  const notAfter = readTime(validity.required('notAfter'))
  validity.end()
  const subject = body.required('subject')
  const spki = body.required('public key')
  const key = known && sameBytes(known.spki, spki.der) ? known : readSubjectKey(spki)
  const extensions = body.optional(0xa3)
  body.end()

  readName(issuer, `the issuer of ${what}`)
  readName(subject, `the subject of ${what}`)
  return {
    serialNumber,
    signatureAlgorithm,
    issuer: issuer.der,
    subject: subject.der,
    notBefore,
    notAfter,
    key,
    extensions: extensions ? readExtensions(explicitly(extensions, what), what) : noExtensions,
  }
}
