import { issuerErrorFrom } from '../error.ts'
import { type Finding, failed } from './finding.ts'

export type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly finding: Finding }

/** What `act` gives; what it throws is found by `probe`. Throws only when it was stopped. */
export async function attempt<T>(
  probe: string,
  signal: AbortSignal,
  act: () => T | Promise<T>,
): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await act() }
  } catch (thrown) {
    signal.throwIfAborted()
    const { code, message } = issuerErrorFrom(thrown)
    return { ok: false, finding: failed(probe, code, message) }
  }
}
