import { verify } from 'node:crypto'
import { sameBytes } from './bytes.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { buildChain, type Chain, isIssuedBy } from './chain.ts'
import { Fields, readOid } from './der_fields.ts'
import { nameText } from './names.ts'
import { oid } from './oids.ts'
import { parsed, type Refusal } from './refusal.ts'
import type { SubjectKey } from './subject_key.ts'

/** The certificates of a secret, in its order; those that could not be read with the reason. */
export interface Found {
  readonly certificates: readonly Certificate[]
  readonly unreadable: readonly Refusal[]
}

export interface RepairedChain extends Chain {
  /** What lacks up to the root, a sentence each; empty exactly when the root is known. */
  readonly missing: readonly string[]
}

/** One certificate that we cannot read does not spoil the others: it may not be needed. */
export function readAll(ders: readonly Uint8Array[]): Found {
  const outcomes = ders.map((der) => parsed(() => readForeign(der)))
  return {
    certificates: outcomes.flatMap((outcome) => (outcome.ok ? [outcome.value] : [])),
    unreadable: outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.refusal])),
  }
}

/**
 * The certificate for `key`, never mind its place or its names: Key Vault keeps what was uploaded.
 * Of several with one key: one by a CA before one by itself, then the one issued last.
 */
export function findLeaf(
  key: SubjectKey,
  certificates: readonly Certificate[],
): Certificate | undefined {
  const own = certificates.filter((one) => sameBytes(one.key.spki, key.spki))
  return own.toSorted(byPreference)[0]
}

/** The chain of `leaf` with what `found` has; a chain that ends early is still a chain. */
export function repairChain(leaf: Certificate, found: Found): RepairedChain {
  const built = buildChain(leaf, issuersOf(leaf, found.certificates))
  if (!built.ok) {
    return { certificates: [leaf], root: undefined, missing: [built.refusal.message] }
  }
  const { certificates, root } = built.value
  if (root !== undefined) return { certificates, root, missing: [] }
  const top = certificates.at(-1) ?? leaf
  const missing = `the secret has no certificate for ${nameText(top.issuer)}, the issuer of ${nameText(top.subject)}; ${
    top === leaf
      ? 'clients that do not know that issuer will refuse the certificate: merge or import it with its chain'
      : 'if that is the root, only ca.crt lacks it'
  }`
  const unread = found.unreadable.map(
    ({ message }) => `a certificate of the secret cannot be read: ${message}`,
  )
  return { certificates, root, missing: [missing, ...unread] }
}

/** Who signed `leaf`, and who signed those, all the way up: a namesake of an issuer is not there. */
function issuersOf(leaf: Certificate, pool: readonly Certificate[]): readonly Certificate[] {
  const reached = new Set([leaf])
  // A Set's iteration goes on to what is added to it on the way.
  for (const below of reached) {
    for (const candidate of pool) if (isIssuedBy(below, candidate)) reached.add(candidate)
  }
  return [...reached]
}

/**
 * Roots of old, some of public CAs among them, vouch for themselves with SHA-1. As nothing rests on
 * a root's own signature (RFC 5280 §6.1: a trust anchor is believed as it is), they are roots here.
 */
function readForeign(der: Uint8Array): Certificate {
  const certificate = readCertificate(der)
  return { ...certificate, selfSigned: certificate.selfSigned || isSelfSignedWithSha1(certificate) }
}

function isSelfSignedWithSha1({ issuer, subject, signed, key }: Certificate): boolean {
  const { algorithm, body, signature } = signed
  const id = readOid(new Fields(algorithm, 'the signature').required('algorithm'), 'the signature')
  return (
    id === oid.sha1WithRsa &&
    key.kind === 'rsa' &&
    sameBytes(issuer, subject) &&
    verify('sha1', body.der, key.publicKey, signature)
  )
}

function byPreference(a: Certificate, b: Certificate): number {
  return (
    Number(a.selfSigned) - Number(b.selfSigned) ||
    b.notBefore - a.notBefore ||
    Buffer.compare(a.der, b.der)
  )
}
