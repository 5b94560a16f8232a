import type { IdentitySpec } from '../api/identity.ts'
import type { Issuer, IssuerSpec } from '../api/issuer.ts'
import { managedName } from '../vault/managed_identity.ts'
import { type Caller, type Standing, unlessOfTheCaller } from './caller_probes.ts'
import { conditionFindings, isJudged } from './conditions.ts'
import type { Finding } from './finding.ts'
import { remedyOf } from './remedy.ts'
import type { Part } from './report.ts'
import type { Setting } from './setting.ts'

/** What the kubeconfig let be seen. */
export function clusterPart(
  server: string | undefined,
  findings: readonly Finding[],
  setting: Setting,
): Part {
  const heading = server === undefined ? 'In the cluster' : `In the cluster ${server}`
  return part('kubeconfig', heading, findings, setting)
}

/** What the controller said. */
export function controllerPart(issuer: Issuer, setting: Setting): Part {
  const heading = `What the controller found, as ${controllerIn(setting)}`
  return part('controller', heading, conditionFindings(issuer), setting)
}

/**
 * What the caller of the command could prove.
 *
 * @param issuer as it is stored, if it is
 */
export function callerPart(
  findings: readonly Finding[],
  caller: Caller | undefined,
  standing: Standing,
  issuer: Issuer | undefined,
  setting: Setting,
): Part {
  const who = standing === 'issuer' ? ", the issuer's own identity" : ''
  const heading = caller === undefined ? 'From here' : `From here, as ${caller.who}${who}`
  const isKnown = issuer !== undefined && isJudged(issuer)
  const own = isKnown ? findings.map((one) => unlessOfTheCaller(one, standing)) : findings
  const as = standing === 'issuer' ? '' : ` and as ${controllerIn(setting)}`
  const tells = isKnown ? 'the part above says' : 'only its condition Ready will say'
  const note = `This is what works from here. Whether it does for the controller, in the cluster${as}, ${tells}.`
  return { ...part('caller', heading, own, setting), note }
}

function part(
  seenBy: Part['seenBy'],
  heading: string,
  findings: readonly Finding[],
  setting: Setting,
): Part {
  const mendable = findings.map((finding) => ({ ...finding, commands: remedyOf(finding, setting) }))
  return { seenBy, heading, findings: mendable }
}

function controllerIn({ spec }: { readonly spec: IssuerSpec | undefined }): string {
  return spec?.identity === undefined ? 'itself' : identityText(spec.identity)
}

function identityText(identity: IdentitySpec): string {
  if (identity.type === 'managed') return managedName(identity.clientId)
  if (identity.type === 'serviceAccount') return `ServiceAccount ${identity.name}`
  return identity.clientId === undefined ? 'its workload identity' : `client ${identity.clientId}`
}
