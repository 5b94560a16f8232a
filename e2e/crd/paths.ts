import { at, type Json, listAt } from '../harness/json.ts'

/** Steps into an object: names, and indexes of arrays. */
export type Path = readonly (string | number)[]

/** As the API server writes it: `spec.policy.dnsNames[0]`. */
export function pathText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .slice(1)
}

export function parsePath(text: string): Path {
  return [...text.matchAll(/\[(\d+)\]|([^.[]+)/g)].map(([, index, name]) =>
    index === undefined ? (name ?? '') : Number(index),
  )
}

/** A copy with `value` at `path`, or with nothing there when it is undefined. */
export function withAt(from: Json, path: Path, value: Json | undefined): Json {
  const [step, ...rest] = path
  if (step === undefined) return value ?? null
  const next = rest.length === 0 ? value : withAt(at(from, step) ?? {}, rest, value)
  if (typeof step === 'number') return listAt(from).with(step, next ?? null)
  const { [step]: _, ...others } = asObject(from)
  return next === undefined ? others : { ...others, [step]: next }
}

export function asObject(value: Json | undefined): { readonly [key: string]: Json } {
  return Object.fromEntries(
    Object.entries(typeof value === 'object' && value !== null ? value : {}),
  )
}
