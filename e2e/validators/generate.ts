import { createHash } from 'node:crypto'
import { pathOf } from '../../src/pki/authority.ts'
import type { NameKind } from '../../src/pki/general_names.ts'
import { type InformationUrls, parseInformationUrls } from '../../src/pki/information_urls.ts'
import { readUsages } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import { serialLength } from '../../src/pki/template.ts'
import { issue } from '../../test/pki/issue.ts'
import { type KeyType, keyOf } from '../../test/pki/keys.ts'
import { day, now } from '../../test/pki/make_ca.ts'
import { makeCsr, makeName, subjectAltName } from '../../test/pki/make_csr.ts'
import { accepted } from '../../test/pki/outcomes.ts'
import {
  type AuthorityKind,
  algorithms,
  authorityOf,
  boundsKinds,
  caLimits,
  caNameKinds,
  depths,
  lifetimes,
  long,
} from './authorities.ts'
import type { Chain } from './chain.ts'
import { coverPairs } from './covering.ts'
import { type Identity, identities } from './identities.ts'
import { type Use, uses } from './usages.ts'

const keyTypes: readonly KeyType[] = [
  ...(['RSA 2048', 'RSA 3072', 'RSA 4096'] as const),
  ...(['ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'Ed25519'] as const),
]

const urls: readonly InformationUrls[] = [
  accepted(parseInformationUrls({})),
  accepted(
    parseInformationUrls({
      crlDistributionPoints: ['http://crl.example.com/ca.crl', 'http://crl2.example.com/ca.crl'],
      ocspServers: ['http://ocsp.example.com'],
      issuingCertificateUrls: ['http://crt.example.com/ca.crt'],
    }),
  ),
]

const nameKinds: readonly NameKind[] = [
  ...(['dns', 'email', 'uri', 'ip', 'otherName', 'directoryName', 'registeredId'] as const),
]

const dimensions = [
  identities,
  uses,
  algorithms,
  keyTypes,
  depths,
  caNameKinds,
  boundsKinds,
  lifetimes,
  urls,
] as const

/**
 * Certificates of the product for whatever can be asked of it: any two values of two dimensions come
 * together in one of them. The same chains each time but for the keys.
 */
export function generateChains(): readonly Chain[] {
  return coverPairs(dimensions.map((values) => values.length)).map(generateChain)
}

function generateChain(row: readonly number[], number: number): Chain {
  const [who = 0, use = 0, algorithm = 0, key = 0, depth = 0, name = 0, bounds = 0] = row
  const [lifetime = 0, url = 0] = row.slice(7)
  return chainOf(
    {
      identity: pick(identities, who),
      use: pick(uses, use),
      keyType: pick(keyTypes, key),
      urls: pick(urls, url),
    },
    {
      algorithm: pick(algorithms, algorithm),
      depth: pick(depths, depth),
      name: pick(caNameKinds, name),
      bounds: pick(boundsKinds, bounds),
      lifetime: pick(lifetimes, lifetime),
    },
    number,
  )
}

interface Request {
  readonly identity: Identity
  readonly use: Use
  readonly keyType: KeyType
  readonly urls: InformationUrls
}

function chainOf(
  { identity, use, keyType, urls: information }: Request,
  kind: Omit<AuthorityKind, 'purposes'>,
  number: number,
): Chain {
  const { authority, key } = authorityOf({ ...kind, purposes: boundsFor(use) })
  const needsSubject = use.isCA && identity.subject.length === makeName().length
  const subject = needsSubject ? makeName({ '2.5.4.3': `CA ${number}` }) : identity.subject
  const extensions = identity.names.length === 0 ? [] : [subjectAltName(...identity.names)]
  const issued = issue(
    {
      csr: makeCsr({
        key: keyOf(keyType, 'leaf'),
        subject,
        ...(extensions.length === 0 ? { attributes: [] } : { extensions }),
      }),
      authority,
      urls: information,
      serialBytes: serialFor(number),
      request: {
        isCA: use.isCA,
        usages: use.usages,
        durationMs: kind.lifetime === 'past 2050' ? long : 90 * day,
      },
      limits: { nameKinds, maxDurationMs: long, ca: caLimits(kind.bounds) },
    },
    key,
  )
  const withUrls = information === urls[0] ? 'no URLs' : 'URLs'
  const traits = { identity: identity.title, use: use.title, keyType, ...kind, urls: withUrls }
  return {
    title: `${number}: ${Object.values(traits).join(' | ')}`,
    traits,
    certificates: [issued.der, ...pathOf(authority).map((ca) => ca.der)],
    purposes: use.purposes,
    host: identity.host,
    time: now,
  }
}

/** The narrowest key purposes of a CA that may still issue for this use. */
function boundsFor({ usages, isCA, purposes }: Use): readonly string[] {
  const asked = readUsages(usages, isCA).purposes
  if (asked.length > 0) return asked
  return purposes.length > 0 ? purposes : [oid.serverAuth]
}

/** Of this chain alone, and the same in each run. */
function serialFor(number: number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`${number}`).digest()).subarray(0, serialLength)
}

function pick<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new RangeError(`no value ${index} of ${values.length}`)
  return value
}
