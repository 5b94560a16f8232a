import { type JsonObject, textAt } from '../json.ts'

/** A key of a Secret or ConfigMap in the issuer's resource namespace. */
export interface KeyRef {
  readonly name: string
  readonly key: string
}

export function parseKeyRef(from: JsonObject | undefined): KeyRef | undefined {
  const name = textAt(from, 'name')
  const key = textAt(from, 'key')
  return name && key ? { name, key } : undefined
}
