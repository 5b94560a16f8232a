/**
 * Reading of JSON that came from outside. A member of another type than asked for reads as absent;
 * whoever needs it says so, in words that fit the place.
 */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function objectAt(from: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = own(from, key)
  return isObject(value) ? value : undefined
}

/** A string with at least one character. */
export function textAt(from: JsonObject | undefined, key: string): string | undefined {
  const value = own(from, key)
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function numberAt(from: JsonObject | undefined, key: string): number | undefined {
  const value = own(from, key)
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export function booleanAt(from: JsonObject | undefined, key: string): boolean | undefined {
  const value = own(from, key)
  return typeof value === 'boolean' ? value : undefined
}

export function objectsAt(from: JsonObject | undefined, key: string): readonly JsonObject[] {
  const value = own(from, key)
  return Array.isArray(value) ? value.filter(isObject) : []
}

export function textsAt(from: JsonObject | undefined, key: string): readonly string[] {
  const value = own(from, key)
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** The members that are strings, as of labels. */
export function textMapAt(
  from: JsonObject | undefined,
  key: string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(objectAt(from, key) ?? {}).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value] as const] : [],
    ),
  )
}

function own(from: JsonObject | undefined, key: string): unknown {
  return from !== undefined && Object.hasOwn(from, key) ? from[key] : undefined
}
