import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadYaml } from '@kubernetes/client-node'
import { issuerKinds, pluralByKind } from '../../src/api/names.ts'
import { fieldsMissing, specFields } from '../../src/check/crd_fields.ts'
import { isObject, type JsonObject, objectAt, objectsAt } from '../../src/json.ts'

for (const kind of issuerKinds) {
  const file = new URL(
    `../../config/crd/keyvault.akv-issuer.io_${pluralByKind[kind]}.yaml`,
    import.meta.url,
  )
  const crd: unknown = loadYaml(readFileSync(file, 'utf8'))
  assert(isObject(crd))

  test(`the fields of a ${kind} are those of its CRD`, () => {
    assert.deepEqual([...specFields[kind]].sort(), fieldsOf(specOf(crd)).sort())
    assert.deepEqual(fieldsMissing(crd, kind), [])
  })

  test(`a CRD of ${kind} from before a field is told`, () => {
    const older: unknown = JSON.parse(JSON.stringify(crd).replace('"next":', '"before":'))
    assert(isObject(older))
    assert.deepEqual(fieldsMissing(older, kind), ['ca.next'])
  })
}

function specOf(crd: JsonObject): JsonObject | undefined {
  const [served] = objectsAt(objectAt(crd, 'spec'), 'versions')
  const schema = objectAt(objectAt(served, 'schema'), 'openAPIV3Schema')
  return objectAt(objectAt(schema, 'properties'), 'spec')
}

/** Names of the fields, and of those right below. */
function fieldsOf(schema: JsonObject | undefined): string[] {
  const names = (of: JsonObject | undefined) => Object.keys(objectAt(of, 'properties') ?? {})
  return names(schema).flatMap((name) => [
    name,
    ...names(objectAt(objectAt(schema, 'properties'), name)).map((below) => `${name}.${below}`),
  ])
}
