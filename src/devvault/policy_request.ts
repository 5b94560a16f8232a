import { distinguishedName } from './distinguished_name.ts'
import { badParameter } from './errors.ts'
import { addressBytes, keyUsageNames } from './extensions.ts'
import { isJson, type Json } from './http.ts'
import { isHsm, isRsa } from './key_kinds.ts'
import {
  type AlternativeNames,
  type CertificatePolicy,
  keyTypes,
  type LifetimeAction,
} from './state.ts'

/**
 * The policy that a request asks for. What is absent comes from the policy before, or from the
 * recorded defaults: RSA 2048, exportable, PFX, 12 months, server and client authentication, an
 * action at 80 % of the life. That parts merge field by field is believed; recordings replace
 * `key_props` with all of its fields.
 */
export function policyFrom(given: unknown, before?: CertificatePolicy): CertificatePolicy {
  if (given !== undefined && !isJson(given)) throw invalid('policy')
  const policy = given ?? {}
  const issuer = parseIssuer(part(policy, 'issuer'), before?.issuer)
  const x509 = parseX509(part(policy, 'x509_props'), before?.x509_props)
  return {
    key_props: parseKey(part(policy, 'key_props'), before?.key_props),
    secret_props: parseSecret(part(policy, 'secret_props'), before?.secret_props),
    x509_props: x509,
    lifetime_actions: parseActions(
      policy.lifetime_actions,
      before?.lifetime_actions ?? [defaultAction(issuer.name)],
      x509.validity_months,
    ),
    issuer,
  }
}

export const pfxType = 'application/x-pkcs12'
export const pemType = 'application/x-pem-file'

export function isSelf(issuer: string): boolean {
  return issuer.toLowerCase() === 'self'
}

export function isUnknown(issuer: string): boolean {
  return issuer.toLowerCase() === 'unknown'
}

function parseKey(
  given: Json,
  before?: CertificatePolicy['key_props'],
): CertificatePolicy['key_props'] {
  const kty = given.kty === undefined ? (before?.kty ?? 'RSA') : given.kty
  const type = keyTypes.find((one) => one === kty)
  if (type === undefined) throw invalid('policy.key_props.kty')
  const same = before?.kty === type ? before : undefined
  const exportable = booleanOf(given, 'exportable') ?? same?.exportable ?? !isHsm(type)
  // Documented: keys of an HSM do not leave it.
  if (exportable && isHsm(type)) throw invalid('policy.key_props.exportable')
  const reuse = booleanOf(given, 'reuse_key') ?? before?.reuse_key ?? false
  if (isRsa(type)) {
    const size = given.key_size ?? same?.key_size ?? 2048
    if (size !== 2048 && size !== 3072 && size !== 4096) throw invalid('policy.key_props.key_size')
    return { exportable, kty: type, key_size: size, reuse_key: reuse }
  }
  const crv = given.crv ?? curveOfSize.get(given.key_size) ?? same?.crv ?? 'P-256'
  const size = typeof crv === 'string' ? sizeOfCurve.get(crv) : undefined
  if (typeof crv !== 'string' || size === undefined) throw invalid('policy.key_props.crv')
  return { exportable, kty: type, key_size: size, reuse_key: reuse, crv }
}

const sizeOfCurve = new Map([
  ['P-256', 256],
  ['P-256K', 256],
  ['P-384', 384],
  ['P-521', 521],
])
const curveOfSize = new Map<unknown, string>([
  [256, 'P-256'],
  [384, 'P-384'],
  [521, 'P-521'],
])

function parseSecret(
  given: Json,
  before?: CertificatePolicy['secret_props'],
): CertificatePolicy['secret_props'] {
  const contentType = given.contentType ?? before?.contentType ?? pfxType
  if (contentType === pfxType || contentType === pemType) return { contentType }
  throw invalid('policy.secret_props.contentType')
}

function parseX509(
  given: Json,
  before?: CertificatePolicy['x509_props'],
): CertificatePolicy['x509_props'] {
  const subject = given.subject ?? before?.subject ?? ''
  const sans = given.sans === undefined ? before?.sans : parseNames(part(given, 'sans'))
  if (typeof subject !== 'string') throw invalid('policy.x509_props.subject')
  const named = Object.values(sans ?? {}).some((names) => names.length > 0)
  const name = distinguishedName(subject)
  if (name === undefined || (subject.trim() === '' && !named)) {
    throw badParameter(
      'Property policy.x509_props has invalid value. Invalid X.500 distinguished name',
    )
  }
  const months = given.validity_months ?? before?.validity_months ?? 12
  if (typeof months !== 'number' || !Number.isInteger(months) || months < 1 || months > 1200) {
    throw invalid('policy.x509_props.validity_months')
  }
  return {
    subject,
    ...(sans && { sans }),
    ekus: stringsOf(given, 'ekus')?.map(checkedOid) ??
      before?.ekus ?? ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
    key_usage: stringsOf(given, 'key_usage')?.map(usageName).sort() ??
      before?.key_usage ?? ['digitalSignature', 'keyEncipherment'],
    validity_months: months,
    // Key Vault takes `ca: true` from nobody but itself (azure-rest-api-specs#11962).
    basic_constraints: { ca: false },
  }
}

function parseNames(given: Json): AlternativeNames {
  const lists = ['emails', 'dns_names', 'upns', 'uris', 'ipAddresses'] as const
  const names: { -readonly [K in keyof AlternativeNames]: AlternativeNames[K] } = {}
  for (const list of lists) {
    const values = stringsOf(given, list)
    if (values) names[list] = values
  }
  if (names.ipAddresses?.some((address) => addressBytes(address) === undefined)) {
    throw invalid('policy.x509_props.sans.ipAddresses')
  }
  return names
}

/** Recorded: renewed by itself with an issuer, a mail without one. */
function defaultAction(issuer: string): LifetimeAction {
  const type = isUnknown(issuer) ? 'EmailContacts' : 'AutoRenew'
  return { trigger: { lifetime_percentage: 80 }, action: { action_type: type } }
}

/** The ranges are documented: 1 to 99 per cent, 1 to 27 days for each month of validity. */
function parseActions(
  given: unknown,
  before: readonly LifetimeAction[],
  months: number,
): readonly LifetimeAction[] {
  if (given === undefined) return before
  if (!Array.isArray(given)) throw invalid('policy.lifetime_actions')
  return given.map((one: unknown) => {
    if (!isJson(one)) throw invalid('policy.lifetime_actions')
    const { lifetime_percentage: percentage, days_before_expiry: days } = part(one, 'trigger')
    const type = part(one, 'action').action_type
    if (type !== 'AutoRenew' && type !== 'EmailContacts') {
      throw invalid('policy.lifetime_actions.action')
    }
    const action = { action_type: type } as const
    if (isWithin(percentage, 1, 99) && days === undefined) {
      return { trigger: { lifetime_percentage: percentage }, action }
    }
    if (isWithin(days, 1, 27 * months) && percentage === undefined) {
      return { trigger: { days_before_expiry: days }, action }
    }
    throw invalid('policy.lifetime_actions.trigger')
  })
}

function parseIssuer(
  given: Json,
  before?: CertificatePolicy['issuer'],
): CertificatePolicy['issuer'] {
  const name = given.name ?? before?.name ?? 'Unknown'
  if (typeof name !== 'string' || name === '') throw invalid('policy.issuer.name')
  const transparency = booleanOf(given, 'cert_transparency') ?? before?.cert_transparency
  return {
    name,
    ...(typeof given.cty === 'string' && { cty: given.cty }),
    ...(transparency !== undefined && { cert_transparency: transparency }),
  }
}

function part(json: Json, name: string): Json {
  const value = json[name] ?? {}
  if (isJson(value)) return value
  throw invalid(`policy.${name}`)
}

function booleanOf(json: Json, name: string): boolean | undefined {
  const value = json[name]
  if (value === undefined || typeof value === 'boolean') return value
  throw invalid(`policy.${name}`)
}

function stringsOf(json: Json, name: string): readonly string[] | undefined {
  const value = json[name]
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) throw invalid(`policy.x509_props.${name}`)
  return value.map((one: unknown) => {
    if (typeof one === 'string') return one
    throw invalid(`policy.x509_props.${name}`)
  })
}

function usageName(given: string): string {
  const name = keyUsageNames.find((one) => one.toLowerCase() === given.toLowerCase())
  if (name === undefined) throw invalid('policy.x509_props.key_usage')
  return name
}

function checkedOid(given: string): string {
  if (/^[0-2](\.\d{1,9})+$/.test(given)) return given
  throw invalid('policy.x509_props.ekus')
}

function isWithin(value: unknown, from: number, to: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to
}

function invalid(property: string) {
  return badParameter(`Property ${property} has invalid value`)
}
