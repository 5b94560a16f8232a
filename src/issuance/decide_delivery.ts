import { type Certificate, isIssuing } from '../api/certificate.ts'
import { type CertificateRequest, sameIssuerRef } from '../api/certificate_request.ts'
import { allows, literalNames } from '../api/delivery.ts'
import { describeDuration } from '../api/duration.ts'
import { rotatedReason } from '../api/names.ts'
import { type ErrorCode, invariant } from '../error.ts'
import { sameBytes } from '../pki/bytes.ts'
import { namesOf, namesText, sameNames } from '../pki/certificate_names.ts'
import { type CertificateSigningRequest, parseCsr } from '../pki/csr.ts'
import type { DirectoryEntry } from '../vault/certificate_directory.ts'
import type { UsableVersion } from '../vault/version_choice.ts'
import { wantedBy } from './fit.ts'
import type { Deliverer } from './issuer_state.ts'
import { fail, type Outcome, wait, wayOn } from './outcome.ts'
import { renewalTime } from './renewal_time.ts'
import { openEntries, type Selection, selectCertificate } from './select_certificate.ts'

/** What is known of a request that a deliver issuer is to answer. All of it was read just now. */
export interface DeliveryFacts {
  /** The one that controls the request; absent when the request names none or it is another now. */
  readonly certificate: Certificate | undefined
  /** The leaf in the Certificate's Secret, DER, if the Secret holds a pair that fits together. */
  readonly present: Uint8Array | undefined
  /** What Key Vault holds by name; `undefined` for what was not looked at yet. */
  readonly entry: (name: string) => DirectoryEntry | undefined
}

interface Snapshot {
  readonly request: CertificateRequest
  readonly namespaceLabels: Readonly<Record<string, string>>
  readonly delivery: DeliveryFacts | undefined
  readonly now: number
}

/**
 * Decides an approved request of an issuer that delivers. cert-manager asks twice: with a key of its
 * own, which is swapped for Key Vault's; and then with that, which is answered by the certificate
 * that belongs to it.
 */
export function decideDelivery(snapshot: Snapshot, deliverer: Deliverer): Outcome {
  const { request, delivery } = snapshot
  invariant(delivery !== undefined, 'a delivery was decided without its facts')
  const { certificate } = delivery
  const stale = certificate && staleness(request, certificate)
  if (stale !== undefined) return wait('RequestNotCurrent', stale)

  const parsed = parseCsr(request.csrPem)
  if (!parsed.ok) return refuse('RequestInvalid', parsed.refusal.message)
  const csr = parsed.value
  // Only a stranger's request differs: it must not have the key of other names put in place.
  if (certificate && !sameNames(namesOf(csr), wantedBy(certificate).names)) {
    return wait(
      'RequestNotCurrent',
      `Certificate "${certificate.name}" is for ${namesText(wantedBy(certificate).names)}, and this ` +
        'request is not',
    )
  }
  if (request.isCA) {
    return refuse('PolicyRefused', 'isCA is asked for, and this issuer delivers no CA certificates')
  }
  const selection = certificate
    ? select(snapshot, deliverer, csr, certificate)
    : selectByKey(snapshot, deliverer, csr)
  if (selection.kind === 'unread') return { kind: 'lookUp', deliverer, name: selection.name }
  if (selection.kind === 'unavailable') return wait('CertificateInvalid', selection.message)
  if (selection.kind === 'refused') {
    const { message, advice } = selection
    return refuse('CertificateNotOffered', [message, advice ?? []].flat().join('; '))
  }

  const { name, version } = selection
  const { notAfter } = version.certificate
  if (notAfter <= snapshot.now) {
    return wait('CertificateExpired', `version ${version.version} of "${name}" has expired`)
  }
  if (certificate && isUselessAgain(certificate, version, delivery, snapshot.now)) {
    return wait(
      'KeyVaultNotRotated',
      `renewal is due; waiting for Key Vault to rotate "${name}"; current version ` +
        `${version.version} expires ${dateText(notAfter)}`,
      name,
    )
  }
  const found = { deliverer, name, version, csr }
  if (certificate && !isKeyOf(csr, version)) return { kind: 'swapKey', certificate, ...found }
  return { kind: 'deliver', ...found, notes: notesOn(request) }

  function refuse(code: ErrorCode, message: string): Outcome {
    return mayFail(snapshot, deliverer, parsed.ok ? parsed.value : undefined)
      ? fail(request, code, message)
      : wait(code, `${message}; ${wayOn(request)}`)
  }
}

/**
 * Whether the request is the one that its Certificate waits for. Its annotations and owner are what
 * its author wrote; no Secret is touched on their word alone.
 */
function staleness(request: CertificateRequest, certificate: Certificate): string | undefined {
  const { claims } = request
  const its = `Certificate "${certificate.name}"`
  if (!sameIssuerRef(request.issuerRef, certificate.issuerRef)) {
    return `${its} names another issuer than this request`
  }
  if (!isIssuing(certificate)) return `${its} is not being issued`
  if (claims.revision !== String(certificate.revision + 1)) {
    return `${its} waits for revision ${certificate.revision + 1}, and this request is of another`
  }
  const { nextKeySecret } = certificate
  if (nextKeySecret === undefined || claims.nextKeySecret !== nextKeySecret) {
    return `${its} does not have the key of its next certificate in the Secret that this request names`
  }
  return nextKeySecret === certificate.secretName
    ? `${its} names its own Secret for the key of its next certificate`
    : undefined
}

function select(
  { request, namespaceLabels, delivery }: Snapshot,
  deliverer: Deliverer,
  csr: CertificateSigningRequest,
  { chosen, privateKey }: Certificate,
): Selection {
  const { namespace, usages } = request
  const wanted = { names: namesOf(csr), privateKey, usages }
  const entry = (name: string) => delivery?.entry(name)
  return selectCertificate({ deliverer, namespace, namespaceLabels, chosen, wanted, entry })
}

/**
 * Without a Certificate nobody takes a key from us. Whoever has the key of a Key Vault certificate
 * all the same, and may have the certificate, is given it.
 */
function selectByKey(
  { request, namespaceLabels, delivery }: Snapshot,
  deliverer: Deliverer,
  csr: CertificateSigningRequest,
): Selection {
  const { namespace, usages, claims } = request
  const open = openEntries({ deliverer, namespace, namespaceLabels })
  const { chosen } = claims
  const asked = open.some((one) => chosen !== undefined && allows(one, chosen)) ? chosen : undefined
  const names = asked === undefined ? literalNames(open) : [asked]
  const owned = names.find((name) => {
    const version = delivery?.entry(name)?.current
    return version !== undefined && isKeyOf(csr, version)
  })
  if (asked !== undefined && delivery?.entry(asked) === undefined) {
    return { kind: 'unread', name: asked }
  }
  if (owned === undefined) {
    return {
      kind: 'refused',
      name: undefined,
      message:
        'no Certificate is behind this request, so there is no Secret to deliver a key to, and its ' +
        'own key is none that this issuer has a certificate for; use a Certificate',
    }
  }
  const wanted = { names: namesOf(csr), usages }
  const entry = (name: string) => delivery?.entry(name)
  return selectCertificate({ deliverer, namespace, namespaceLabels, chosen: owned, wanted, entry })
}

/**
 * Whether the Secret would get what it has, while that is due for renewal: cert-manager would ask
 * again at once, many times a second. A Secret that cert-manager found wanting for another reason is
 * written all the same.
 */
function isUselessAgain(
  certificate: Certificate,
  version: UsableVersion,
  { present }: DeliveryFacts,
  now: number,
): boolean {
  if (present === undefined || !sameBytes(present, version.certificate.der)) return false
  const reason = certificate.issuing?.reason ?? ''
  if (repairs.has(reason)) return false
  const due = renewalTime(version.certificate, certificate.renewal)
  return reason === 'Renewing' || (due !== undefined && due <= now)
}

/** cert-manager's reasons for an issuance that mends the Secret (policies/constants.go). */
const repairs: ReadonlySet<string> = new Set([
  'DoesNotExist',
  'MissingData',
  'InvalidKeyPair',
  'InvalidCertificate',
  'InvalidCertificateRequest',
  'SecretMismatch',
  'IncorrectIssuer',
  'IncorrectCertificate',
  'RequestChanged',
])

/** Issuances that cert-manager never tries again once they failed: ours, and those set off by hand. */
const finalReasons: ReadonlySet<string> = new Set([rotatedReason, 'ManuallyTriggered'])

/**
 * Failed is for what can never succeed, where trying again is cert-manager's business; and never for
 * a request whose key was swapped, since the verdict may hit the issuance that follows it.
 */
function mayFail(
  { delivery }: Snapshot,
  deliverer: Deliverer,
  csr: CertificateSigningRequest | undefined,
): boolean {
  const certificate = delivery?.certificate
  if (certificate === undefined) return true
  if (finalReasons.has(certificate.issuing?.reason ?? '')) return false
  const { chosen } = certificate
  const names = chosen === undefined ? literalNames(deliverer.allowed) : [chosen]
  const isSwapped = names.some((name) => {
    const version = delivery?.entry(name)?.current
    return csr !== undefined && version !== undefined && isKeyOf(csr, version)
  })
  return !isSwapped
}

function isKeyOf(csr: CertificateSigningRequest, { certificate }: UsableVersion): boolean {
  return sameBytes(csr.key.spki, certificate.key.spki)
}

function notesOn({ durationMs }: CertificateRequest): readonly string[] {
  if (durationMs === undefined) return []
  return [
    `spec.duration ${describeDuration(durationMs)} is ignored: the policy of the Key Vault ` +
      'certificate says how long it lasts',
  ]
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
