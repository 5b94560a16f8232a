import type { Issuer } from '../api/issuer.ts'
import { isObject, type JsonObject, textAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { probeApprover } from './approver_probe.ts'
import { attempt } from './attempt.ts'
import { probeController } from './controller_probe.ts'
import { probeCrd } from './crd_probe.ts'
import { type Finding, ok } from './finding.ts'
import type { Manifest } from './manifest.ts'
import { type IssuerName, readIssuer, tryApply } from './stored_issuer.ts'

/** What is to be seen of an issuer in a cluster. */
export interface ClusterView {
  readonly findings: readonly Finding[]
  /** As it is stored; absent where a file is looked at. */
  readonly issuer: Issuer | undefined
  /** A file's issuer with the defaults of the schema. */
  readonly defaulted: JsonObject | undefined
  /** Of the controller, by its Lease. */
  readonly controllerNamespace: string | undefined
}

/**
 * Looks at the cluster as the kubeconfig lets us. Nothing is changed.
 *
 * @param ifUnreachable what it means that the API server does not answer
 */
export async function inspectCluster(
  kube: KubeClient,
  which: IssuerName,
  manifest: Manifest | undefined,
  now: number,
  signal: AbortSignal,
  ifUnreachable: (why: string) => Finding,
): Promise<ClusterView> {
  const reached = await attempt('cluster', signal, () =>
    kube.request({ method: 'GET', path: '/version' }, signal),
  )
  if (!reached.ok) return nothingSeen(ifUnreachable(reached.finding.message))
  const version = isObject(reached.value) ? textAt(reached.value, 'gitVersion') : undefined
  const [crd, subject, controller, approver] = await Promise.all([
    probeCrd(kube, which.kind, signal),
    manifest === undefined
      ? readIssuer(kube, which, signal)
      : tryApply(kube, which, manifest.object, signal),
    probeController(kube, now, signal),
    probeApprover(kube, which, signal),
  ])
  // Without the kind there is nothing of it either, which needs no telling twice.
  const ofSubject = crd.code === 'CrdMissing' ? [] : subject.findings
  return {
    findings: [
      ok('cluster', `it answers, as Kubernetes ${version ?? 'of an unknown version'}`),
      crd,
      ...ofSubject,
      ...controller.findings,
      approver,
    ],
    issuer: subject.kind === 'stored' ? subject.found : undefined,
    defaulted: subject.kind === 'tried' ? subject.found : undefined,
    controllerNamespace: controller.found,
  }
}

export function nothingSeen(finding: Finding): ClusterView {
  return {
    findings: [finding],
    issuer: undefined,
    defaulted: undefined,
    controllerNamespace: undefined,
  }
}
