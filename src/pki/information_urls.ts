import { explicit, implicit, objectIdentifier, sequence } from './der_writer.ts'
import { oid } from './oids.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'

const checked: unique symbol = Symbol('made by parseInformationUrls')

/** Where validators find what a certificate does not say. Only `parseInformationUrls` makes one. */
export interface InformationUrls extends Urls {
  readonly [checked]: true
}

interface Urls {
  readonly crlDistributionPoints: readonly string[]
  readonly ocspServers: readonly string[]
  readonly issuingCertificateUrls: readonly string[]
}

export const noInformationUrls: InformationUrls = {
  [checked]: true,
  crlDistributionPoints: [],
  ocspServers: [],
  issuingCertificateUrls: [],
}

/**
 * Parses the URLs of an issuer. They must be http: what they serve is signed, and a validator that
 * had to check a certificate to fetch them could go round in circles (RFC 5280 §8).
 */
export function parseInformationUrls(urls: Partial<Urls>): Parsed<InformationUrls> {
  return parsed(() => ({
    [checked]: true,
    crlDistributionPoints: (urls.crlDistributionPoints ?? []).map(checkUrl),
    ocspServers: (urls.ocspServers ?? []).map(checkUrl),
    issuingCertificateUrls: (urls.issuingCertificateUrls ?? []).map(checkUrl),
  }))
}

/** CRLDistributionPoints (RFC 5280 §4.2.1.13), one point for all URLs since they serve one CRL. */
export function encodeCrlDistributionPoints({
  crlDistributionPoints,
}: InformationUrls): Uint8Array | undefined {
  if (crlDistributionPoints.length === 0) return undefined
  return sequence(sequence(explicit(0, explicit(0, ...crlDistributionPoints.map(uriName)))))
}

/** AuthorityInfoAccessSyntax (RFC 5280 §4.2.2.1). */
export function encodeAuthorityInfoAccess({
  ocspServers,
  issuingCertificateUrls,
}: InformationUrls): Uint8Array | undefined {
  const access = [
    ...ocspServers.map((url) => accessDescription(oid.accessOcsp, url)),
    ...issuingCertificateUrls.map((url) => accessDescription(oid.accessCaIssuers, url)),
  ]
  return access.length === 0 ? undefined : sequence(...access)
}

function accessDescription(method: string, url: string): Uint8Array {
  return sequence(objectIdentifier(method), uriName(url))
}

function uriName(url: string): Uint8Array {
  return implicit(6, Buffer.from(url, 'latin1'))
}

function checkUrl(url: string): string {
  if (/^http:\/\/[A-Za-z0-9.-]+(:\d+)?(\/[!-~]*)?$/.test(url) && url.length <= 1024) return url
  return refuse(
    'information-url',
    `${JSON.stringify(url)} is not a URL for certificates; expected http://host/path in ASCII`,
  )
}
