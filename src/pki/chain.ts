import { sameBytes } from './bytes.ts'
import type { Certificate } from './certificate.ts'
import { nameText } from './names.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import { verifySignature } from './signed.ts'

export interface Chain {
  /** The certificate asked about, then each one's issuer. The root stands here only if it was asked about. */
  readonly certificates: readonly Certificate[]
  /** The self-signed top, when it is known. */
  readonly root: Certificate | undefined
}

const maxLength = 10

/**
 * The chain from `certificate` up, from issuers found in `pool`, which may be in any order, hold
 * strangers and hold things twice. Links hold by octets of names and by signatures, never by names
 * as text. The same certificates give the same chain, whatever their order.
 */
export function buildChain(certificate: Certificate, pool: readonly Certificate[]): Parsed<Chain> {
  return parsed(() => readChain(certificate, pool))
}

export function readChain(certificate: Certificate, pool: readonly Certificate[]): Chain {
  const path = climb(certificate, [...pool].sort(byPreference), new Set())
  if (path.length > maxLength) {
    refuse('chain-too-long', `the chain has ${path.length} certificates; at most ${maxLength}`)
  }
  const top = path.at(-1) ?? certificate
  if (top.selfSigned) {
    const below = path.slice(0, -1)
    return { certificates: below.length > 0 ? below : [certificate], root: top }
  }
  const namesake = pool.some((candidate) => sameBytes(candidate.subject, top.issuer))
  if (namesake || sameBytes(top.subject, top.issuer)) {
    refuse(
      'chain-signature',
      `the certificate for ${nameText(top.subject)} is not signed by the key of the certificate for its issuer ${nameText(top.issuer)}, or not with SHA-256 or better; give the issuer's right certificate`,
    )
  }
  return { certificates: path, root: undefined }
}

/** The path from `from` to a root, or else the longest; `seen` ends loops and repeated searches. */
function climb(
  from: Certificate,
  pool: readonly Certificate[],
  seen: Set<Certificate>,
): readonly Certificate[] {
  seen.add(from)
  let longest: readonly Certificate[] = [from]
  if (from.selfSigned) return longest
  for (const candidate of pool) {
    if (seen.has(candidate) || !isIssuedBy(from, candidate)) continue
    const path = [from, ...climb(candidate, pool, seen)]
    if (path.at(-1)?.selfSigned) return path
    if (path.length > longest.length) longest = path
  }
  return longest
}

/** By name and by signature; neither dates nor what the issuer may do are looked at. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return (
    sameBytes(certificate.issuer, issuer.subject) &&
    verifySignature(certificate.signed, issuer.key) === 'valid'
  )
}

/** Of two issuers with one key: the root, then the one that lasts longer, then the smaller octets. */
function byPreference(a: Certificate, b: Certificate): number {
  return (
    Number(b.selfSigned) - Number(a.selfSigned) ||
    b.notAfter - a.notAfter ||
    Buffer.compare(a.der, b.der)
  )
}
