import { type JsonObject, objectAt, objectsAt, textAt } from '../json.ts'
import type { NamespaceSelector } from '../pki/policy.ts'
import { readSelector } from './policy.ts'

/** One entry of `spec.certificates`: what may be delivered, and to whom. */
export interface DeliverableEntry {
  /** A Key Vault certificate; or, with `*` at the end, the beginning of the names of many. */
  readonly name: string
  /** Absent on an Issuer's entries: its own namespace is meant. */
  readonly namespaces: NamespaceSelector | undefined
}

export function readDeliverables(spec: JsonObject | undefined): readonly DeliverableEntry[] {
  return objectsAt(spec, 'certificates').flatMap((entry) => {
    const name = textAt(entry, 'name')
    const namespaces = readSelector(objectAt(entry, 'namespaces'))
    return name === undefined ? [] : [{ name, namespaces }]
  })
}

export function isPattern({ name }: DeliverableEntry): boolean {
  return name.endsWith('*')
}

/** The entries that name one certificate each. */
export function literalNames(entries: readonly DeliverableEntry[]): readonly string[] {
  return entries.flatMap((entry) => (isPattern(entry) ? [] : [entry.name]))
}

/**
 * Whether the entry is for a certificate of this name. Names of Key Vault objects compare without
 * case; what cannot be such a name no pattern is for, since it would become part of a URL.
 */
export function allows(entry: DeliverableEntry, certificateName: string): boolean {
  const name = certificateName.toLowerCase()
  const allowed = entry.name.toLowerCase()
  if (!isPattern(entry)) return name === allowed
  return objectName.test(name) && name.startsWith(allowed.slice(0, -1))
}

/** https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates */
const objectName = /^[0-9a-z-]{1,127}$/
