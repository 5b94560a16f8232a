/** Type guards for plain values, put together from smaller ones. */
import { isJson } from './http.ts'

/** A Map as it stands in JSON. */
export type Pairs<V> = readonly (readonly [string, V])[]

export type Guard<T> = (value: unknown) => value is T

/** A guard for each field. One for an optional field is wrapped in `optional`. */
export function shape<T>(
  fields: { readonly [K in keyof T]-?: Guard<Exclude<T[K], undefined>> },
): Guard<T> {
  const guards = Object.entries<(value: unknown) => boolean>(fields)
  return (value): value is T => isJson(value) && guards.every(([name, guard]) => guard(value[name]))
}

export function optional<T>(guard: Guard<T>): Guard<T> {
  return (value): value is T => value === undefined || guard(value)
}

export function list<T>(guard: Guard<T>): Guard<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every((one) => guard(one))
}

export function pairs<V>(guard: Guard<V>): Guard<Pairs<V>> {
  return (value): value is Pairs<V> =>
    Array.isArray(value) &&
    value.every((pair) => Array.isArray(pair) && isText(pair[0]) && guard(pair[1]))
}

export function oneOf<const T extends string>(...words: readonly T[]): Guard<T> {
  return (value): value is T => words.some((word) => word === value)
}

export const isText: Guard<string> = (value) => typeof value === 'string'
export const isNumber: Guard<number> = (value) => typeof value === 'number'
export const isFlag: Guard<boolean> = (value) => typeof value === 'boolean'
