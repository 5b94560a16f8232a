import type { NextCaSpec } from '../api/ca.ts'
import type { IssuerMode } from '../api/issuer.ts'
import { issuerErrorFrom } from '../error.ts'
import type { Certificate } from '../pki/certificate.ts'
import { bundleRoots, fingerprint } from '../pki/roots.ts'
import type { NextCa, ProvenCa, ReadyState } from './issuer_state.ts'
import { type ProofPlace, readCa, readNextCa, readPolicies, testSignature } from './prove_ca.ts'

/**
 * Proves that an issuer can sign. Of two CAs the one that is to sign is proven whole; the present one
 * gives no more than its root once the next has its place.
 *
 * @param known fingerprints of the roots that were published, in order; and how the next CA was found
 *   before, for the same spec
 * @throws IssuerError that says what to do; never for the next CA
 */
export async function probeSigner(
  mode: Extract<IssuerMode, { type: 'sign' }>,
  place: ProofPlace,
  known: { readonly published: readonly string[]; readonly next: NextCa | undefined },
): Promise<Extract<ReadyState, { mode: 'sign' }>> {
  const policies = readPolicies(mode)
  const present = await readCa(mode.ca, 'spec.ca', place)
  const next = mode.next && (await probeNext(mode.next, present, place, known.next))
  const successor = next?.kind === 'proven' && next.active ? next.ca : undefined
  if (successor === undefined) await testSignature(present, place)
  const bundle = bundleRoots(
    [present.authority.root, ...rootsOf(next, known.published)],
    known.published,
  )
  const { vault, location } = place
  const { host: vaultHost } = location
  const signer = { ...(successor ?? present), ...policies, vault, vaultHost, bundle }
  return { kind: 'ready', mode: 'sign', signer, next }
}

/** Passing trouble leaves a next CA as it was: its root must not come and go. */
async function probeNext(
  spec: NextCaSpec,
  present: ProvenCa,
  place: ProofPlace,
  before: NextCa | undefined,
): Promise<NextCa> {
  let root = before?.kind === 'proven' ? before.ca.authority.root : before?.root
  try {
    const ca = await readNextCa(spec, present, place)
    root = ca.authority.root
    await testSignature(ca, place)
    return { kind: 'proven', active: spec.activate, ca }
  } catch (thrown) {
    place.signal.throwIfAborted()
    const error = issuerErrorFrom(thrown)
    if (error.retry === 'stop') throw error
    if (error.retry === 'backoff' && before?.kind === 'proven') return before
    return { kind: 'broken', code: error.code, message: error.message, root }
  }
}

/** A root is published when its CA was proven, and stays so while it is known. */
function rootsOf(next: NextCa | undefined, published: readonly string[]): readonly Certificate[] {
  if (next?.kind === 'proven') return [next.ca.authority.root]
  const root = next?.root
  return root !== undefined && published.includes(fingerprint(root.der)) ? [root] : []
}
