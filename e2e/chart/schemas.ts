import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../harness/cluster.ts'
import { at, type Json, listAt, textAt } from '../harness/json.ts'

/**
 * The schemas that the API server publishes, as files for kubeconform.
 *
 * @returns what `-schema-location` takes
 */
export async function schemasFor(cluster: Cluster): Promise<string> {
  const folder = join(cluster.dir, 'schemas')
  mkdirSync(folder, { recursive: true })
  const definitions = at(await cluster.must('GET', '/openapi/v2'), 'definitions') ?? {}
  const strict = Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [name, strictly(schema)]),
  )
  writeFileSync(join(folder, 'definitions.json'), JSON.stringify({ definitions: strict }))
  for (const [name, schema] of Object.entries(definitions)) {
    for (const kind of listAt(schema, 'x-kubernetes-group-version-kind')) {
      const group = textAt(kind, 'group').split('.')[0]
      const words = [textAt(kind, 'kind'), group, textAt(kind, 'version')]
      const file = `${words
        .filter((word) => word !== '')
        .join('-')
        .toLowerCase()}.json`
      writeFileSync(
        join(folder, file),
        JSON.stringify({ $ref: `definitions.json#/definitions/${name}` }),
      )
    }
  }
  return `${folder}/{{.ResourceKind}}{{.KindSuffix}}.json`
}

/** What OpenAPI says in words of its own, in those of JSON Schema; fields not named are refused. */
function strictly(schema: Json): Json {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(strictly)
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, child]) => [key, strictly(child)]),
  )
  const reference = at(schema, '$ref')
  // A kind may have a field of that name.
  if (typeof reference === 'string') {
    return { $ref: reference.replace('#/', 'definitions.json#/') }
  }
  if (at(schema, 'format') === 'int-or-string') return { type: ['integer', 'string'] }
  const isClosed =
    at(schema, 'properties') !== undefined && at(schema, 'additionalProperties') === undefined
  const isOpen = at(schema, 'x-kubernetes-preserve-unknown-fields') === true
  return isClosed && !isOpen ? { ...inner, additionalProperties: false } : inner
}
