import { type JsonObject, numberAt, objectAt, textAt } from '../json.ts'
import { metaOf } from './object_meta.ts'

/** What a Lease says. */
export interface LeaseRecord {
  readonly resourceVersion: string
  /** Empty when it was released. */
  readonly holder: string
  readonly durationMs: number
  readonly transitions: number
}

/** A record, and when this process first saw it, by its own monotonic clock in milliseconds. */
export interface ObservedLease {
  readonly record: LeaseRecord
  readonly seenAt: number
}

export type LeaseDecision =
  | { readonly kind: 'create' }
  | { readonly kind: 'take'; readonly transitions: number }
  | { readonly kind: 'wait'; readonly ms: number }

/**
 * What a candidate does about the lease. No time of another machine is looked at: the lease of
 * another is over when its record was seen unchanged for its whole duration, however the clocks
 * differ. The holder counts from before its write, we from after it, so the holder gives up first.
 */
export function decideLease(
  observed: ObservedLease | undefined,
  identity: string,
  now: number,
): LeaseDecision {
  if (observed === undefined) return { kind: 'create' }
  const { record, seenAt } = observed
  if (record.holder === identity) return { kind: 'take', transitions: record.transitions }
  const left = record.holder === '' ? 0 : seenAt + record.durationMs - now
  if (left > 0) return { kind: 'wait', ms: left }
  return { kind: 'take', transitions: record.transitions + 1 }
}

/**
 * The lease as seen now. Any write to it counts as a sign of life, even one that changes a label
 * only: that errs to the safe side.
 */
export function observeLease(
  before: ObservedLease | undefined,
  record: LeaseRecord,
  now: number,
): ObservedLease {
  return before?.record.resourceVersion === record.resourceVersion
    ? before
    : { record, seenAt: now }
}

/** Reads a Lease; one without a holder or a duration was never taken. */
export function parseLease(object: JsonObject, defaultDurationMs: number): LeaseRecord | undefined {
  const meta = metaOf(object)
  if (meta === undefined) return undefined
  const spec = objectAt(object, 'spec')
  const seconds = numberAt(spec, 'leaseDurationSeconds')
  return {
    resourceVersion: meta.resourceVersion,
    holder: textAt(spec, 'holderIdentity') ?? '',
    durationMs: seconds === undefined ? defaultDurationMs : seconds * 1000,
    transitions: numberAt(spec, 'leaseTransitions') ?? 0,
  }
}
