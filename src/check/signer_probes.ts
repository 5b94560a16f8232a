import type { IssuerMode } from '../api/issuer.ts'
import type { ProvenCa } from '../issuance/issuer_state.ts'
import {
  type ProofPlace,
  readCa,
  readNextCa,
  readPolicies,
  testSignature,
} from '../issuance/prove_ca.ts'
import { pathOf } from '../pki/authority.ts'
import { expiryNotes, expiryNoticeMs, limitNotes } from '../pki/authority_notes.ts'
import { nameText } from '../pki/names.ts'
import { bundleRoots, fingerprint } from '../pki/roots.ts'
import { describeKey } from '../pki/subject_key.ts'
import { timeText } from '../pki/times.ts'
import type { KeyKeeper } from '../vault/key_keeper.ts'
import { type Attempt, attempt } from './attempt.ts'
import { type Finding, ok, skipped, warning } from './finding.ts'

export interface SignerPlace extends ProofPlace {
  readonly keeper: Pick<KeyKeeper, 'key'>
}

/**
 * Goes through all that makes an issuer able to sign. Each proof is the controller's own; one that
 * fails holds up only what rests on it.
 *
 * @param published fingerprints of the roots that the issuer shows, in order
 */
export async function probeCas(
  mode: Extract<IssuerMode, { type: 'sign' }>,
  place: SignerPlace,
  published: readonly string[],
): Promise<readonly Finding[]> {
  const policies = await attempt('policy', place.signal, () => readPolicies(mode))
  const policy = policies.ok ? ok('policy', 'spec.policy can be read') : policies.finding
  const { signal } = place
  const present = await attempt('ca', signal, () => readCa(mode.ca, 'spec.ca', place))
  const following = mode.next
  const next =
    following &&
    (await attempt('next ca', signal, () =>
      present.ok
        ? readNextCa(following, present.value, place)
        : readCa(following, 'spec.ca.next', place),
    ))
  const ofNext = next === undefined ? [] : await caFindings('next ', next, place)
  const hasPassedOn =
    following?.activate === true &&
    ofNext.some(({ probe, result }) => probe === 'next signature' && result === 'ok')
  const ofPresent =
    hasPassedOn && present.ok
      ? passedOnFindings(present.value)
      : await caFindings('', present, place)
  const cas = [present, next].flatMap((one) => (one?.ok ? [one.value] : []))
  return [policy, ...ofPresent, ...ofNext, ...rootsFinding(cas, published)]
}

/** @param of before the names of the probes */
async function caFindings(
  of: string,
  found: Attempt<ProvenCa>,
  place: SignerPlace,
): Promise<readonly Finding[]> {
  if (!found.ok) {
    const unmet = 'the signature is tested against the CA certificate, which was not had'
    return [found.finding, skipped(`${of}signature`, unmet)]
  }
  const { signal, now } = place
  const ca = found.value
  const { authority, keyId } = ca
  const signed = await attempt(`${of}signature`, signal, () => testSignature(ca, place))
  const verifies = `${keyId} signed a test (${authority.algorithm.name}) that verifies with the CA certificate`
  return [
    fitFinding(`${of}ca`, ca),
    ...expiryNotes(authority, now).map((note) => warning(`${of}expiry`, note)),
    ...limitNotes(authority).map((note) => warning(`${of}limits`, note)),
    signed.ok ? ok(`${of}signature`, verifies) : signed.finding,
    ...(signed.ok ? [await keyFinding(`${of}key`, ca, place)] : []),
  ]
}

/** Its key may be gone. */
function passedOnFindings(ca: ProvenCa): readonly Finding[] {
  const why = 'the next CA signs in its place; this one gives no more than its root'
  return [fitFinding('ca', ca), skipped('signature', why)]
}

function fitFinding(probe: string, { authority }: ProvenCa): Finding {
  const { subject, notAfter } = authority.certificate
  const above = pathOf(authority).length - 1
  return ok(
    probe,
    `"${nameText(subject)}" is fit to issue, valid until ${timeText(notAfter)}, ` +
      (above === 0 ? 'and its own root' : `with ${above} above it up to the root`),
  )
}

/** What the controller has no right to see: when the key itself will end. */
async function keyFinding(
  probe: string,
  { key: { name, version } }: ProvenCa,
  { keeper, now, signal }: SignerPlace,
): Promise<Finding> {
  const read = await attempt(probe, signal, () => keeper.key(name, version, signal))
  if (!read.ok || read.value === undefined) {
    const why = 'only who may read the key can see when it expires; the issuer needs no such right'
    return skipped(probe, why)
  }
  const { publicKey, protection, notAfter } = read.value
  const what = `${describeKey(publicKey)} in ${protection}`
  if (notAfter === undefined) return ok(probe, `${what}, without an expiry date`)
  if (notAfter - now >= expiryNoticeMs) return ok(probe, `${what}, until ${timeText(notAfter)}`)
  return warning(
    probe,
    `key "${name}" with version ${version} expires at ${timeText(notAfter)}; from then on nothing is signed`,
    'VaultKeyUnusable',
  )
}

function rootsFinding(cas: readonly ProvenCa[], published: readonly string[]): readonly Finding[] {
  if (cas.length === 0) return []
  const { roots } = bundleRoots(
    cas.map(({ authority }) => authority.root),
    published,
  )
  const names = roots.map(
    ({ subject, der }) => `"${nameText(subject)}" (sha256 ${fingerprint(der).slice(0, 16)}…)`,
  )
  return [ok('roots', `goes out with each certificate: ${names.join(', then ')}`)]
}
