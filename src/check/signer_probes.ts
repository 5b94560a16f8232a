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
import { attempt } from './attempt.ts'
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
  const present = await probeCa('', place, () => readCa(mode.ca, 'spec.ca', place))
  const following = mode.next
  const next =
    following === undefined
      ? undefined
      : await probeCa('next ', place, () =>
          present.ca === undefined
            ? readCa(following, 'spec.ca.next', place)
            : readNextCa(following, present.ca, place),
        )
  const cas = [present.ca, next?.ca].filter((ca) => ca !== undefined)
  return [policy, ...present.findings, ...(next?.findings ?? []), ...rootsFinding(cas, published)]
}

/** @param of before the names of the probes */
async function probeCa(
  of: string,
  place: SignerPlace,
  read: () => Promise<ProvenCa>,
): Promise<{ readonly findings: readonly Finding[]; readonly ca: ProvenCa | undefined }> {
  const { signal, now } = place
  const found = await attempt(`${of}ca`, signal, read)
  if (!found.ok) {
    const unmet = 'the signature is tested against the CA certificate, which was not had'
    return { findings: [found.finding, skipped(`${of}signature`, unmet)], ca: undefined }
  }
  const ca = found.value
  const { authority, keyId } = ca
  const { certificate, algorithm } = authority
  const signed = await attempt(`${of}signature`, signal, () => testSignature(ca, place))
  const above = pathOf(authority).length - 1
  return {
    ca,
    findings: [
      ok(
        `${of}ca`,
        `"${nameText(certificate.subject)}" is fit to issue, valid until ${timeText(certificate.notAfter)}, ` +
          (above === 0 ? 'and its own root' : `with ${above} above it up to the root`),
      ),
      ...expiryNotes(authority, now).map((note) => warning(`${of}expiry`, note)),
      ...limitNotes(authority).map((note) => warning(`${of}limits`, note)),
      signed.ok
        ? ok(
            `${of}signature`,
            `${keyId} signed a test (${algorithm.name}) that verifies with the CA certificate`,
          )
        : signed.finding,
      ...(signed.ok ? [await keyFinding(`${of}key`, ca, place)] : []),
    ],
  }
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
