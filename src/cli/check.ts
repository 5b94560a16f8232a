import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import { type IssuerSpec, issuerKey, parseIssuerSpec } from '../api/issuer.ts'
import { publishedRoots } from '../api/published_roots.ts'
import { attempt } from '../check/attempt.ts'
import { type Finding, failed, skipped } from '../check/finding.ts'
import { type ClusterView, inspectCluster, nothingSeen } from '../check/inspect_cluster.ts'
import { inspectVault, type VaultView } from '../check/inspect_vault.ts'
import { type Manifest, readManifest } from '../check/manifest.ts'
import { callerPart, clusterPart, controllerPart } from '../check/parts.ts'
import { type Report, reportJson, reportText, resultOf } from '../check/report.ts'
import type { Setting } from '../check/setting.ts'
import type { IssuerName } from '../check/stored_issuer.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import type { References } from '../issuance/references.ts'
import { objectAt } from '../json.ts'
import { type KubeClient, openKubeClient } from '../kube/client.ts'
import { credentialSource } from '../kube/credentials.ts'
import { silentLog } from '../log.ts'
import { systemRandom } from '../random.ts'
import { cloudBySuffix, parseVaultUrl, type VaultLocation } from '../vault/cloud.ts'
import { type AccessDeps, openVaultFor, referencesOf } from './check_access.ts'
import type { CheckFlags } from './check_flags.ts'
import { type CommandContext, processContext } from './command_context.ts'
import { failure } from './private_output.ts'
import { packageVersion } from './version.ts'

/**
 * Goes through all that an issuer rests on, and prints what it found and what mends it.
 *
 * @returns the exit code of the process: 1 when something failed
 */
export async function check(
  flags: CheckFlags,
  context: CommandContext = processContext(),
): Promise<number> {
  try {
    const found = await examine(flags, context)
    context.out(flags.json ? reportJson(found) : reportText(found))
    return resultOf(found) === 'failed' ? 1 : 0
  } catch (thrown) {
    context.err(`akv-issuer check: ${issuerErrorFrom(thrown).message}\n`)
    return 1
  }
}

async function examine(flags: CheckFlags, context: CommandContext): Promise<Report> {
  const { clock, signal } = context
  const manifest = await manifestOf(flags)
  const kube = await attempt('cluster', signal, async () =>
    openKubeClient({
      source: await credentialSource(flags.kubeconfig, flags.context),
      userAgent: `akv-issuer-check/${packageVersion()}`,
      clock,
      log: silentLog,
    }),
  )
  const client = kube.ok ? kube.value : undefined
  try {
    const which = whichOf(flags, manifest, client?.namespace)
    const unreachable = (why: string) => noCluster(flags, why)
    const view = kube.ok
      ? await inspectCluster(kube.value, which, manifest, clock.now(), signal, unreachable)
      : nothingSeen(unreachable(kube.finding.message))
    return await report(flags, context, { which, manifest, view, client })
  } finally {
    await client?.close()
  }
}

interface Subject {
  readonly which: IssuerName
  readonly manifest: Manifest | undefined
  readonly view: ClusterView
  readonly client: KubeClient | undefined
}

async function report(
  flags: CheckFlags,
  context: CommandContext,
  { which, manifest, view, client }: Subject,
): Promise<Report> {
  const { issuer } = view
  const target = targetOf(issuer?.spec ?? specIn(manifest, view))
  const controllerNamespace = view.controllerNamespace ?? 'akv-issuer'
  const clusterResources = flags.clusterResourceNamespace ?? controllerNamespace
  const setting: Setting = {
    issuer: which,
    stored: manifest === undefined,
    spec: target?.spec,
    location: target?.location,
    assignee: undefined,
    controllerNamespace,
    referenceNamespace: which.kind === 'Issuer' ? which.namespace : clusterResources,
    tenantId: undefined,
    now: context.clock.now(),
  }
  const references = referencesOf(client, setting.referenceNamespace)
  const published = publishedRoots(issuer?.status).map(({ sha256 }) => sha256)
  const sight = { flags, context, client, setting, references, published }
  const seen = target && (await lookFromHere(target, sight))
  const standing = flags.identity === 'issuer' ? 'issuer' : 'caller'
  const ofCaller = { ...setting, tenantId: seen?.tenantId, assignee: seen?.caller?.objectId }
  return {
    issuer: issuerKey(which),
    vaultUrl: target?.spec?.vaultUrl,
    parts: [
      clusterPart(client?.server, view.findings, setting),
      ...(issuer === undefined ? [] : [controllerPart(issuer, setting)]),
      ...(seen === undefined
        ? []
        : [callerPart(seen.findings, seen.caller, standing, issuer, ofCaller)]),
    ],
  }
}

/** What is to be looked at, or why it cannot be. */
type Target =
  | { readonly spec: IssuerSpec; readonly location: VaultLocation; readonly refusal?: undefined }
  | {
      readonly spec: IssuerSpec | undefined
      readonly location: undefined
      readonly refusal: Finding
    }

function targetOf(spec: IssuerSpec | IssuerError | undefined): Target | undefined {
  if (spec === undefined) return undefined
  const refused = (probe: string, { code, message }: IssuerError) =>
    ({ location: undefined, refusal: failed(probe, code, message) }) as const
  if (spec instanceof IssuerError) return { spec: undefined, ...refused('spec', spec) }
  try {
    return { spec, location: parseVaultUrl(spec.vaultUrl, [...cloudBySuffix.keys()]) }
  } catch (thrown) {
    return { spec, ...refused('vault', issuerErrorFrom(thrown)) }
  }
}

function specIn(manifest: Manifest | undefined, view: ClusterView) {
  if (manifest === undefined) return undefined
  return parseIssuerSpec(objectAt(view.defaulted ?? manifest.object, 'spec'), manifest.kind)
}

interface Sight extends AccessDeps {
  readonly flags: CheckFlags
  readonly references: Pick<References, 'configMapText'>
  readonly published: readonly string[]
}

async function lookFromHere(target: Target, sight: Sight): Promise<VaultView> {
  if (target.refusal !== undefined) return onlyFinding(target.refusal)
  const { flags, context, references, published } = sight
  const { clock, signal } = context
  const { spec, location } = target
  const opened = await attempt('token', signal, () => openVaultFor(spec, location, sight))
  if (!opened.ok) return onlyFinding(opened.finding)
  const access = opened.value
  const { withKeys } = flags
  const now = clock.now()
  const random = systemRandom
  try {
    const place = { ...access, location, references, withKeys, random, now, signal }
    return await inspectVault(spec, place, published)
  } finally {
    await access.close()
  }
}

function onlyFinding(finding: Finding): VaultView {
  return { findings: [finding], tenantId: undefined, caller: undefined }
}

/** A file can be looked at without a cluster, unless one is asked for. */
function noCluster({ file, kubeconfig, context }: CheckFlags, why: string): Finding {
  const isAskedFor = file === undefined || kubeconfig !== undefined || context !== undefined
  return isAskedFor ? failed('cluster', 'KubeUnavailable', why) : skipped('cluster', why)
}

function whichOf(
  flags: CheckFlags,
  manifest: Manifest | undefined,
  ofContext: string | undefined,
): IssuerName {
  const meant = manifest ?? flags.issuer
  if (meant === undefined) throw new IssuerError('IssuerNotFound', 'no issuer is named')
  const { kind, name } = meant
  const namespace = flags.namespace ?? manifest?.namespace ?? ofContext ?? 'default'
  return { kind, name, namespace: kind === 'Issuer' ? namespace : '' }
}

async function manifestOf({ file, issuer }: CheckFlags): Promise<Manifest | undefined> {
  if (file === undefined) return undefined
  const where = file === '-' ? 'standard input' : file
  let text: string
  try {
    text = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8')
  } catch (error) {
    throw failure(`cannot read ${where}`, error)
  }
  try {
    return await readManifest(text, issuer)
  } catch (thrown) {
    const { code, message } = issuerErrorFrom(thrown)
    throw new IssuerError(code, `${where}: ${message}`)
  }
}
