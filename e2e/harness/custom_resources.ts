import type { ApiClient } from './api_client.ts'
import { at, listAt, textAt } from './json.ts'
import { until } from './until.ts'

/**
 * Creates a CRD from its YAML and waits until its objects can be listed. The API server holds the
 * first write of such an object back until about 2 s after the CRD's creation.
 */
export async function createCrd(admin: ApiClient, yaml: string): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const made = await admin.must('POST', path, yaml, { contentType: 'application/yaml' })
  const group = textAt(made, 'spec', 'group')
  const plural = textAt(made, 'spec', 'names', 'plural')
  for (const version of listAt(made, 'spec', 'versions')) {
    if (at(version, 'served') !== true) continue
    const collection = `/apis/${group}/${textAt(version, 'name')}/${plural}`
    await until(
      `${collection} served`,
      async () => (await admin.api('GET', `${collection}?limit=1`)).code === 200,
    )
  }
}
