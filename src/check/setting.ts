import type { IssuerSpec } from '../api/issuer.ts'
import type { IssuerKind } from '../api/names.ts'
import type { VaultLocation } from '../vault/cloud.ts'
import type { Sighting } from './sighting.ts'

/** What commands are filled in with, besides what the message itself says. */
export interface Setting {
  readonly issuer: { readonly kind: IssuerKind; readonly namespace: string; readonly name: string }
  /** Whether the issuer is in the cluster, or in a file alone. */
  readonly stored: boolean
  readonly spec: IssuerSpec | undefined
  readonly location: VaultLocation | undefined
  /** Who was refused where the message names nobody, as `az role assignment` takes it. */
  readonly assignee: string | undefined
  readonly controllerNamespace: string
  /** Where the references of the issuer resolve. */
  readonly referenceNamespace: string
  /** The tenant that the vault trusts. */
  readonly tenantId: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

/** Commands for a shell, in order; none where only words help. */
export type Remedy = (seen: Sighting, setting: Setting) => readonly string[]
