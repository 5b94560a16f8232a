/** What JSON can say. Answers of the API server stay this until somebody asks for a field. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json }

export function parseJson(text: string): Json {
  const value: Json = JSON.parse(text)
  return value
}

/** The value at a path of keys and indexes; undefined when any step is missing. */
export function at(
  value: Json | undefined,
  ...path: readonly (string | number)[]
): Json | undefined {
  let here: Json | undefined = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Object.hasOwn(here, step) ? Reflect.get(here, step) : undefined
  }
  return here
}

/** The string at a path; throws with the path and what stood there instead. */
export function textAt(value: Json | undefined, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path)
  if (typeof found === 'string') return found
  throw new Error(`expected a string at ${path.join('.')}, found ${JSON.stringify(found)}`)
}

/** The elements of the array at a path; none when it is missing. */
export function listAt(
  value: Json | undefined,
  ...path: readonly (string | number)[]
): readonly Json[] {
  const found = at(value, ...path)
  if (found === undefined || found === null) return []
  if (isList(found)) return found
  throw new Error(`expected an array at ${path.join('.')}, found ${JSON.stringify(found)}`)
}

/** The condition of a type in `status.conditions`. */
export function conditionOf(object: Json | undefined, type: string): Json | undefined {
  return listAt(object, 'status', 'conditions').find((each) => at(each, 'type') === type)
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
