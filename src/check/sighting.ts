/** What the words of an error or a condition speak of. */
export interface Sighting {
  /** Key Vault's inner code, Entra's code, or what the words say otherwise; see `details`. */
  readonly detail: string | undefined
  readonly object: SeenObject | undefined
  /** The object in the cluster that an issuer refers to. */
  readonly reference: SeenReference | undefined
  /** Who was refused, as `az` takes it. */
  readonly clientId: string | undefined
  readonly role: string | undefined
  /** Of an access policy: `sign`. */
  readonly permission: string | undefined
  /** The address that the vault's firewall saw. */
  readonly address: string | undefined
  /** Of the CA certificate that is spoken of. */
  readonly subject: string | undefined
}

export interface SeenObject {
  readonly kind: 'key' | 'certificate' | 'secret'
  readonly name: string
  readonly version: string | undefined
}

export interface SeenReference {
  readonly kind: 'Secret' | 'ConfigMap' | 'ServiceAccount'
  readonly name: string
  readonly namespace: string
  readonly key: string | undefined
}

/**
 * Reads a message back. A condition has nothing but its words; reading those of an error in the same
 * way gives one remedy for both.
 */
export function sightingOf(message: string): Sighting {
  const first = (pattern: RegExp) => pattern.exec(message)?.[1]
  return {
    detail: detailOf(message),
    object: objectIn(message),
    reference: referenceIn(message),
    clientId: first(/client (?:id )?([0-9a-f]{8}-[0-9a-f-]{27})/i),
    role: first(/the role "([^"]+)"/),
    permission: first(/the permission "(\w+)" for /),
    address: first(/\baddr=([0-9a-f.:]+)/i),
    subject: first(/the CA certificate for (.+?) expire[ds] /),
  }
}

function detailOf(message: string): string | undefined {
  const innerCode = /: HTTP \d+ \w*\/(\w+)/.exec(message)?.[1]
  if (innerCode !== undefined) return innerCode
  return details.find(([, pattern]) => pattern.test(message))?.[0] ?? entraCode(message)
}

function entraCode(message: string): string | undefined {
  return /AADSTS\d+/.exec(message)?.[0]
}

/** What has no code of its own, by our own words for it. */
const details: readonly (readonly [detail: string, words: RegExp])[] = [
  ['TokenNotAccepted', /the vault did not accept the token|takes those of tenant/],
  [
    'WorkloadNotSetUp',
    /AZURE_FEDERATED_TOKEN_FILE is not set|cannot read the ServiceAccount token/,
  ],
  ['NotBound', /the cluster's token proxy/],
  ['NotLoggedIn', /the account that az is logged in with/],
  ['NotFromHere', /leave out --identity issuer|is given no (?:clientId|tenantId)/],
  ['Ambient', /which Issuers may not use here/],
  ['NameUnknown', /ENOTFOUND/],
  ['KeyExpiring', /^key "[^"]+" with version [0-9a-f]{32} expires at/],
  ['NotExportable', /the key is not exportable/],
  ['VersionDisabled', /of certificate "[^"]+" is disabled/],
  ['VersionExpired', /of certificate "[^"]+" expired at/],
  ['VersionNotYetValid', /of certificate "[^"]+" is not valid before/],
]

function objectIn(message: string): SeenObject | undefined {
  const named =
    /(?:^|could not (?:sign with|read) )(key|certificate|secret) "([^"]+)"/.exec(message) ??
    /version [0-9a-f]{32} of (certificate) "([^"]+)"/.exec(message)
  const [, kind, name] = named ?? []
  const version =
    /with version ([0-9a-f]{32})/.exec(message)?.[1] ??
    /version ([0-9a-f]{32}) of certificate/.exec(message)?.[1]
  if (name !== undefined && isObjectKind(kind)) return { kind, name, version }
  const [, keyName, keyVersion] = /\/keys\/([\w-]+)\/([0-9a-f]{32})/.exec(message) ?? []
  return keyName === undefined ? undefined : { kind: 'key', name: keyName, version: keyVersion }
}

function referenceIn(message: string): SeenReference | undefined {
  const words = /(\w+) "([^"]+)" (?:not found )?in namespace "([^"]+)"/
  const [, kind, name, namespace] = words.exec(message) ?? []
  if (name === undefined || namespace === undefined || !isReferenceKind(kind)) return undefined
  return { kind, name, namespace, key: /\bkey "([^"]+)"/.exec(message)?.[1] }
}

function isObjectKind(kind: string | undefined): kind is SeenObject['kind'] {
  return kind === 'key' || kind === 'certificate' || kind === 'secret'
}

function isReferenceKind(kind: string | undefined): kind is SeenReference['kind'] {
  return kind === 'Secret' || kind === 'ConfigMap' || kind === 'ServiceAccount'
}
