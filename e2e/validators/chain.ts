/** A certificate to judge, with all above it. */
export interface Chain {
  readonly title: string
  /** What was chosen for it, by dimension. */
  readonly traits: Traits
  /** DER: the one to judge first, its root last. */
  readonly certificates: readonly Uint8Array[]
  /** OIDs of the key purposes, each of which it must be good for; none: whatever it is good for. */
  readonly purposes: readonly string[]
  /** A DNS name or IP address that it must be good for; empty for none. */
  readonly host: string
  /** When it must be good, milliseconds since the Unix epoch. */
  readonly time: number
}

export interface Traits {
  readonly identity: string
  readonly use: string
  readonly algorithm: string
  readonly bounds: string
}

/** What a validator does not like about a certificate. */
export interface Finding {
  /** `error` and `fatal` are faults; what stands below is for people to weigh. */
  readonly severity: string
  readonly rule: string
  readonly detail: string
}

export interface Validator {
  readonly name: string
  /** The findings of each chain, in the order of the chains. */
  readonly judge: (chains: readonly Chain[]) => Promise<readonly (readonly Finding[])[]>
}

export function isError({ severity }: Finding): boolean {
  return severity === 'error' || severity === 'fatal'
}
