import { isObject, objectAt, textMapAt } from '../json.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourcePath } from '../kube/resource_path.ts'

/** The labels of a namespace as they are now. */
export async function readNamespaceLabels(
  kube: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const path = resourcePath({ group: '', version: 'v1', resource: 'namespaces', name })
  const namespace = await kube.request({ method: 'GET', path }, signal)
  const metadata = isObject(namespace) ? objectAt(namespace, 'metadata') : undefined
  return textMapAt(metadata, 'labels')
}
