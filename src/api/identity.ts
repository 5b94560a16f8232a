import { type JsonObject, objectAt, textAt } from '../json.ts'
import { type KeyRef, parseKeyRef } from './key_ref.ts'
import type { IssuerKind } from './names.ts'

/** `spec.identity`: who an issuer is to Entra. References are to its resource namespace. */
export type IdentitySpec =
  | {
      readonly type: 'workload'
      readonly clientId: string | undefined
      readonly tenantId: string | undefined
    }
  | {
      readonly type: 'serviceAccount'
      /** Of the ServiceAccount. */
      readonly name: string
      readonly clientId: string | undefined
      readonly tenantId: string | undefined
    }
  | { readonly type: 'managed'; readonly clientId: string | undefined }
  | {
      readonly type: 'clientSecret'
      readonly tenantId: string
      readonly clientId: string
      readonly secretRef: KeyRef
    }
  | {
      readonly type: 'clientCertificate'
      readonly tenantId: string
      readonly clientId: string
      /** Name of a kubernetes.io/tls Secret. */
      readonly secretName: string
    }

/** `undefined` where nothing is said that is complete; nothing at all is a ClusterIssuer's default. */
export function parseIdentity(
  from: JsonObject | undefined,
  kind: IssuerKind,
): IdentitySpec | undefined {
  if (from === undefined) return kind === 'ClusterIssuer' ? controllersOwn : undefined
  for (const [member, parse] of parserByMember) {
    const said = objectAt(from, member)
    if (said !== undefined) return parse(said)
  }
  return undefined
}

const controllersOwn: IdentitySpec = { type: 'workload', clientId: undefined, tenantId: undefined }

/** Exactly one member is set: the schema sees to it. */
const parserByMember: ReadonlyMap<string, (said: JsonObject) => IdentitySpec | undefined> = new Map(
  [
    ['workload', parseWorkload],
    ['managed', parseManaged],
    ['clientSecret', parseClientSecret],
    ['clientCertificate', parseClientCertificate],
  ],
)

function parseWorkload(said: JsonObject): IdentitySpec | undefined {
  const client = { clientId: textAt(said, 'clientId'), tenantId: textAt(said, 'tenantId') }
  const account = objectAt(said, 'serviceAccountRef')
  if (account === undefined) return { type: 'workload', ...client }
  const name = textAt(account, 'name')
  return name ? { type: 'serviceAccount', name, ...client } : undefined
}

function parseManaged(said: JsonObject): IdentitySpec {
  return { type: 'managed', clientId: textAt(said, 'clientId') }
}

function parseClientSecret(said: JsonObject): IdentitySpec | undefined {
  const application = parseApplication(said)
  const secretRef = parseKeyRef(objectAt(said, 'secretRef'))
  return application && secretRef && { type: 'clientSecret', ...application, secretRef }
}

function parseClientCertificate(said: JsonObject): IdentitySpec | undefined {
  const application = parseApplication(said)
  const secretName = textAt(objectAt(said, 'secretRef'), 'name')
  return application && secretName
    ? { type: 'clientCertificate', ...application, secretName }
    : undefined
}

function parseApplication(said: JsonObject) {
  const tenantId = textAt(said, 'tenantId')
  const clientId = textAt(said, 'clientId')
  return tenantId && clientId ? { tenantId, clientId } : undefined
}
