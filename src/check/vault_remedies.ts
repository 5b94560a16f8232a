import { timeText } from '../pki/times.ts'
import type { Remedy, Setting } from './setting.ts'
import { commandOf, shellWord } from './shell.ts'
import type { SeenObject, Sighting } from './sighting.ts'

const yearMs = 365 * 86_400_000

/** What Key Vault refuses, and what is wrong with that which it holds. */
export const vaultRemedies: ReadonlyMap<string, Remedy> = new Map<string, Remedy>([
  ['VaultForbidden', grantRole],
  ['VaultForbidden/ForbiddenByRbac', grantRole],
  ['VaultForbidden/AccessDenied', setPolicy],
  ['VaultForbidden/ForbiddenByPolicy', setPolicy],
  ['VaultForbidden/ForbiddenByFirewall', allowAddress],
  ['VaultForbidden/ForbiddenByConnection', openToNetworks],
  ['VaultRefused', showKey],
  ['VaultKeyUnusable', showKey],
  ['VaultKeyUnusable/KeyDisabled', attributes(() => ['--enabled true'])],
  ['VaultKeyUnusable/KeyExpired', attributes(({ now }) => [`--expires ${inAYear(now)}`])],
  ['VaultKeyUnusable/KeyExpiring', attributes(({ now }) => [`--expires ${inAYear(now)}`])],
  [
    'VaultKeyUnusable/KeyNotYetValid',
    attributes(({ now }) => [`--not-before ${timeText(wholeSeconds(now))}`]),
  ],
  ['VaultKeyUnusable/KeyOperationForbidden', attributes(() => ['--ops sign verify'])],
  ['VaultKeyUnusable/SecretDisabled', attributes(() => ['--enabled true'])],
  ['VaultNotFound', listWhatIsThere],
  ['VaultUnavailable', showVault],
  ['VaultUnavailable/NameUnknown', showVault],
  ['VaultHostNotAllowed', (_, { location }) => (location === undefined ? [listVaults] : [])],
  ['VaultThrottled', showThrottling],
  ['CertificateKeyMismatch', showKeyVersions],
  ['CertificateExpired', renewCa],
  ['CertificateInvalid/VersionDisabled', attributes(() => ['--enabled true'])],
  ['CertificateInvalid/VersionExpired', newVersion],
  ['CertificateInvalid/VersionNotYetValid', newVersion],
  ['CertificateInvalid/NotExportable', newExportableVersion],
])

const listVaults = 'az keyvault list --query "[].properties.vaultUri" --output tsv'

function grantRole({ clientId, object, role }: Sighting, setting: Setting): readonly string[] {
  const { vault, isHsm } = placeOf(setting)
  const who = `--assignee ${shellWord(clientId ?? setting.assignee ?? 'OBJECT_ID')}`
  const path = object === undefined ? '' : `/${object.kind}s/${shellWord(object.name)}`
  if (isHsm) {
    return [
      commandOf(
        `az keyvault role assignment create --hsm-name ${vault} ${who}`,
        `--role "Managed HSM Crypto User" --scope ${path === '' ? '/' : path}`,
      ),
    ]
  }
  return [
    commandOf(
      `az role assignment create ${who} --role ${quoted(role ?? 'Key Vault Reader')}`,
      `--scope "$(az keyvault show --name ${vault} --query id --output tsv)"${path}`,
    ),
  ]
}

function setPolicy(seen: Sighting, setting: Setting): readonly string[] {
  const { vault } = placeOf(setting)
  const { clientId, object, permission = 'get' } = seen
  const who =
    clientId === undefined
      ? `--object-id ${shellWord(setting.assignee ?? 'OBJECT_ID')}`
      : `--spn ${shellWord(clientId)}`
  const kind = object?.kind ?? 'key'
  const given = `--${kind}-permissions ${shellWord(permission)}`
  return [
    `az keyvault set-policy --name ${vault} ${who} ${given}   # name those it has, too: they are replaced`,
  ]
}

function allowAddress({ address }: Sighting, setting: Setting): readonly string[] {
  const { vault } = placeOf(setting)
  return [
    `az keyvault network-rule add --name ${vault} --ip-address ${shellWord(address ?? 'ADDRESS')}`,
  ]
}

function openToNetworks(_: Sighting, setting: Setting): readonly string[] {
  const { vault } = placeOf(setting)
  return [
    `az keyvault show --name ${vault} --query properties.privateEndpointConnections`,
    `az keyvault update --name ${vault} --public-network-access Enabled   # if it may be public`,
  ]
}

/** Changes the attributes of the very version that is spoken of. */
function attributes(flags: (setting: Setting) => readonly string[]): Remedy {
  return ({ object }, setting) =>
    object === undefined
      ? []
      : [
          commandOf(
            `az keyvault ${object.kind} set-attributes ${whichObject(object, setting)}`,
            [...versionFlag(object), ...flags(setting)].join(' '),
          ),
        ]
}

function showKey({ object }: Sighting, setting: Setting): readonly string[] {
  if (object?.kind !== 'key') return []
  return [
    commandOf(
      `az keyvault key show ${whichObject(object, setting)}`,
      [
        ...versionFlag(object),
        '--query "{type:key.kty, curve:key.crv, operations:key.keyOps, attributes:attributes}"',
      ].join(' '),
    ),
  ]
}

function listWhatIsThere({ object }: Sighting, setting: Setting): readonly string[] {
  if (object === undefined) return []
  const { vault, isHsm } = placeOf(setting)
  const { kind, name } = object
  const which = whichObject(object, setting)
  const place = isHsm ? `--hsm-name ${vault}` : `--vault-name ${vault}`
  return [
    `az keyvault ${kind} list-versions ${which} --output table`,
    `az keyvault ${kind} list ${place} --output table`,
    `az keyvault ${kind} recover ${place} --name ${shellWord(name)}   # if it was deleted`,
  ]
}

function showVault(_: Sighting, setting: Setting): readonly string[] {
  const { vault } = placeOf(setting)
  return [
    commandOf(
      `az keyvault show --name ${vault}`,
      '--query "properties.{uri:vaultUri, access:publicNetworkAccess, rules:networkAcls, endpoints:privateEndpointConnections}"',
    ),
  ]
}

function showThrottling(_: Sighting, setting: Setting): readonly string[] {
  const { vault } = placeOf(setting)
  return [
    commandOf(
      'az monitor metrics list --metric ServiceApiHit --interval PT1M',
      `--resource "$(az keyvault show --name ${vault} --query id --output tsv)"`,
    ),
  ]
}

function showKeyVersions({ object }: Sighting, setting: Setting): readonly string[] {
  if (object === undefined) return []
  return [
    `az keyvault key list-versions ${whichObject(object, setting)} --query "[].kid" --output tsv`,
    `akv-issuer ca show --vault ${shellWord(setting.location?.url ?? '')} --name ${shellWord(object.name)}`,
  ]
}

/** The ways of docs/ca_ceremony.md. */
function renewCa({ subject }: Sighting, { location, spec }: Setting): readonly string[] {
  const key = spec?.mode.type === 'sign' ? spec.mode.ca.key : undefined
  if (key === undefined || location === undefined) return []
  const ceremony = `--vault ${shellWord(location.url)} --name ${shellWord(key.name)}`
  const file = shellWord(key.name)
  return [
    commandOf(
      `akv-issuer ca csr ${ceremony} --key-version ${shellWord(key.version)}`,
      `--subject ${quoted(subject ?? 'CN=CA')} --output ${file}.csr`,
    ),
    `akv-issuer ca install ${ceremony} --certificate ${file}.pem --chain above.pem --replace`,
  ]
}

/** By the policy that it has. */
function newVersion({ object }: Sighting, setting: Setting): readonly string[] {
  if (object === undefined) return []
  const which = whichObject(object, setting)
  return [
    commandOf(
      `az keyvault certificate create ${which}`,
      `--policy "$(az keyvault certificate show ${which} --query policy --output json)"`,
    ),
  ]
}

function newExportableVersion({ object }: Sighting, setting: Setting): readonly string[] {
  if (object === undefined) return []
  const which = whichObject(object, setting)
  return [
    commandOf(
      `az keyvault certificate show ${which} --query policy --output json`,
      `| sed 's/"exportable": false/"exportable": true/' > policy.json`,
    ),
    `az keyvault certificate create ${which} --policy @policy.json`,
  ]
}

function whichObject({ kind, name }: SeenObject, setting: Setting): string {
  const { vault, isHsm } = placeOf(setting)
  const place = isHsm && kind === 'key' ? '--hsm-name' : '--vault-name'
  return `${place} ${vault} --name ${shellWord(name)}`
}

function versionFlag({ version }: SeenObject): readonly string[] {
  return version === undefined ? [] : [`--version ${version}`]
}

function placeOf({ location }: Setting): { readonly vault: string; readonly isHsm: boolean } {
  const [vault = 'VAULT', ...suffix] = (location?.host ?? '').split('.')
  return { vault: vault === '' ? 'VAULT' : shellWord(vault), isHsm: suffix[0] === 'managedhsm' }
}

function inAYear(now: number): string {
  return timeText(wholeSeconds(now + yearMs))
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

/** Always in quotes, for what reads better so. */
function quoted(text: string): string {
  return /^[\w@%+=:,./ -]+$/.test(text) ? `"${text}"` : shellWord(text)
}
