import type { JsonWebKey, X509Certificate } from 'node:crypto'
import { children, elements } from './der.ts'
import { keyUsageNames } from './extensions.ts'
import { rsaSize } from './key_kinds.ts'
import type { AlternativeNames, CertificatePolicy } from './state.ts'

/**
 * The policy that Key Vault writes for an imported certificate: taken from the certificate, issuer
 * `Unknown`, a mail at 80 % of its life. Recorded for a self-signed RSA CA and an RSA leaf; EC and
 * subject alternative names are believed to follow.
 */
export function policyOf(
  leaf: X509Certificate,
  jwk: JsonWebKey,
  settings: { readonly exportable: boolean; readonly contentType: string },
): CertificatePolicy {
  const sans = alternativeNames(leaf.subjectAltName)
  const { exportable } = settings
  const crv = jwk.crv ?? ''
  return {
    key_props:
      jwk.kty === 'EC'
        ? { exportable, kty: 'EC', key_size: Number(crv.slice(2)), reuse_key: false, crv }
        : { exportable, kty: 'RSA', key_size: rsaSize(jwk), reuse_key: false },
    secret_props: { contentType: settings.contentType },
    x509_props: {
      subject: subjectText(leaf.subject),
      ...(sans && { sans }),
      ekus: leaf.keyUsage ?? [],
      key_usage: keyUsages(leaf),
      validity_months: months(leaf.validFromDate, leaf.validToDate),
      basic_constraints: { ca: leaf.ca },
    },
    lifetime_actions: [
      { trigger: { lifetime_percentage: 80 }, action: { action_type: 'EmailContacts' } },
    ],
    issuer: { name: 'Unknown' },
  }
}

/** The operations of a key that serves a certificate (about-certificates, key usage table). */
export function keyOpsOf(usages: readonly string[], all: readonly string[]): readonly string[] {
  if (usages.length === 0) return all
  const operations = new Set(usages.flatMap((usage) => operationsByUsage.get(usage) ?? []))
  return all.filter((operation) => operations.has(operation))
}

const operationsByUsage = new Map<string, readonly string[]>([
  ['digitalSignature', ['sign', 'verify']],
  ['nonRepudiation', ['sign', 'verify']],
  ['keyCertSign', ['sign', 'verify']],
  ['cRLSign', ['sign', 'verify']],
  ['keyEncipherment', ['wrapKey', 'unwrapKey']],
  ['dataEncipherment', ['encrypt', 'decrypt']],
])

/** node:crypto shows the extended usages as `keyUsage` and hides the plain ones. */
function keyUsages(leaf: X509Certificate): readonly string[] {
  const bits = extensionValue(leaf.raw, '551d0f')
  const string = bits && elements(bits)?.[0]
  if (string?.tag !== 0x03) return []
  return keyUsageNames.filter((_name, index) => {
    const byte = string.content[1 + (index >> 3)] ?? 0
    return ((byte >> (7 - (index & 7))) & 1) === 1
  })
}

/** The content of an extension, found by its OID's bytes in hexadecimal. */
function extensionValue(certificate: Uint8Array, oidHex: string): Uint8Array | undefined {
  const tbs = children(children(elements(certificate)?.[0])[0])
  const wrapper = tbs.find((element) => element.tag === 0xa3)
  for (const extension of children(children(wrapper)[0])) {
    const [id, ...rest] = children(extension)
    if (id && Buffer.from(id.content).toString('hex') === oidHex) return rest.at(-1)?.content
  }
  return undefined
}

/** Windows' way of writing a name: last part first, `S` for the state (recorded). */
function subjectText(subject: string | undefined): string {
  const parts = (subject ?? '').split('\n').filter((part) => part !== '')
  return parts
    .map((part) => part.replace(/^ST=/, 'S=').replace(/^emailAddress=/, 'E='))
    .toReversed()
    .join(', ')
}

function alternativeNames(text: string | undefined): AlternativeNames | undefined {
  if (text === undefined) return undefined
  const byKind = (prefix: string) =>
    text
      .split(', ')
      .filter((part) => part.startsWith(prefix))
      .map((part) => part.slice(prefix.length))
  const lists = {
    emails: byKind('email:'),
    dns_names: byKind('DNS:'),
    uris: byKind('URI:'),
    ipAddresses: byKind('IP Address:'),
  }
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0))
}

function months(from: Date, to: Date): number {
  const years = to.getUTCFullYear() - from.getUTCFullYear()
  return Math.max(1, years * 12 + to.getUTCMonth() - from.getUTCMonth())
}
