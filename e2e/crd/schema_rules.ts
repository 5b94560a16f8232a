import { at, type Json, listAt } from '../harness/json.ts'
import { asObject, type Path } from './paths.ts'

/** One place of an OpenAPI schema; of an array its first item, of a map its entry `mapKey`. */
export interface SchemaNode {
  readonly path: Path
  readonly schema: Json
}

/** A value that breaks a rule, where it is put, and what the API server says of it then. */
export interface Breach {
  readonly path: Path
  /** `undefined`: the field is left out. */
  readonly value: Json | undefined
  readonly says: RegExp
}

/** The key that examples of maps have. */
export const mapKey = 'team'

export function nodesOf(schema: Json, path: Path): readonly SchemaNode[] {
  const children = Object.entries(asObject(at(schema, 'properties'))).flatMap(([name, child]) =>
    nodesOf(child, [...path, name]),
  )
  const items = at(schema, 'items')
  const values = at(schema, 'additionalProperties')
  return [
    { path, schema },
    ...children,
    ...(items === undefined ? [] : nodesOf(items, [...path, 0])),
    ...(values === undefined ? [] : nodesOf(values, [...path, mapKey])),
  ]
}

/** The messages of the rules in CEL at this place itself. */
export function messagesOf({ schema }: SchemaNode): readonly string[] {
  return listAt(schema, 'x-kubernetes-validations').map((rule) => String(at(rule, 'message')))
}

/** A way to break each rule at this place that is not in CEL; `good` is what keeps them. */
export function breachesOf({ path, schema }: SchemaNode, good: Json): readonly Breach[] {
  const wrongType: Json = at(schema, 'type') === 'string' ? 42 : 'text'
  const required = listAt(schema, 'required').map((name) => ({
    path: [...path, String(name)],
    value: undefined,
    says: /^Required value$/,
  }))
  const byKeyword = Object.entries(asObject(schema)).flatMap(([keyword, limit]) => {
    if (others.has(keyword)) return []
    const breach = breaches.get(keyword)
    if (breach === undefined) throw new Error(`no way is known to break ${keyword} of a schema`)
    return [{ path, ...breach(Number(limit), good) }]
  })
  const says = new RegExp(`must be of type ${String(at(schema, 'type'))}: "`)
  return [{ path, value: wrongType, says }, ...required, ...byKeyword]
}

type MakeBreach = (limit: number, good: Json) => Pick<Breach, 'value' | 'says'>

const breaches: ReadonlyMap<string, MakeBreach> = new Map<string, MakeBreach>([
  [
    'maxLength',
    (limit) => ({
      value: 'a'.repeat(limit + 1),
      says: new RegExp(`^Too long: may not be more than ${limit} bytes$`),
    }),
  ],
  [
    'minLength',
    (limit) => ({ value: '', says: new RegExp(`should be at least ${limit} chars long$`) }),
  ],
  [
    'maximum',
    (limit) => ({
      value: limit + 1,
      says: new RegExp(`should be less than or equal to ${limit}$`),
    }),
  ],
  [
    'minimum',
    (limit) => ({
      value: limit - 1,
      says: new RegExp(`should be greater than or equal to ${limit}$`),
    }),
  ],
  [
    'maxItems',
    (limit, good) => ({
      value: Array.from({ length: limit + 1 }, () => at(good, 0) ?? null),
      says: new RegExp(`^Too many: ${limit + 1}: must have at most ${limit} items$`),
    }),
  ],
  [
    'minItems',
    (limit) => ({ value: [], says: new RegExp(`should have at least ${limit} items$`) }),
  ],
  [
    'maxProperties',
    (limit) => ({
      value: Object.fromEntries(Array.from({ length: limit + 1 }, (_, n) => [`key${n}`, 'value'])),
      says: new RegExp(`must have at most ${limit} items$`),
    }),
  ],
  ['enum', () => ({ value: 'none', says: /^Unsupported value: "none": supported values: "/ })],
])

/** Keywords that refuse nothing, or that are dealt with elsewhere. */
const others: ReadonlySet<string> = new Set(
  `type required properties items additionalProperties description default format
  x-kubernetes-validations x-kubernetes-list-type x-kubernetes-list-map-keys`.split(/\s+/),
)
