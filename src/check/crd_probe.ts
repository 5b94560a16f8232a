import { group, type IssuerKind, pluralByKind } from '../api/names.ts'
import { issuerErrorFrom } from '../error.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'
import { fieldsMissing } from './crd_fields.ts'
import { type Finding, failed, ok, skipped, warning } from './finding.ts'
import { readObject } from './stored_issuer.ts'

/** Whether the API server serves our kind with all that this version reads of it. */
export async function probeCrd(
  kube: KubeClient,
  kind: IssuerKind,
  signal: AbortSignal,
): Promise<Finding> {
  const name = `${pluralByKind[kind]}.${group}`
  const resource = 'customresourcedefinitions'
  const path = resourcePath({ group: 'apiextensions.k8s.io', version: 'v1', resource, name })
  try {
    const missing = fieldsMissing(await readObject(kube, path, signal), kind)
    if (missing.length === 0) return ok('crd', `${name} has every field that this version reads`)
    return warning(
      'crd',
      `${name} is of an older version: it drops spec.${missing.join(', spec.')} without a word`,
      'CrdOutdated',
    )
  } catch (thrown) {
    const error = issuerErrorFrom(thrown)
    if (error.code === 'KubeForbidden') return skipped('crd', error.message)
    if (error.code !== 'KubeNotFound') return failed('crd', error.code, error.message)
    return failed('crd', 'CrdMissing', `${name} is not installed in the cluster`)
  }
}
