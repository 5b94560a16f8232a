import type { KeyObject } from 'node:crypto'
import { sameBytes } from './bytes.ts'
import type { Certificate } from './certificate.ts'
import { readChain } from './chain.ts'
import { keyUsage } from './key_usage.ts'
import { isEmptyName, nameText } from './names.ts'
import { encodePem } from './pem.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'
import {
  algorithmsFor,
  type SignatureAlgorithm,
  type SignatureAlgorithmName,
} from './signature_algorithms.ts'
import { describeKey } from './subject_key.ts'
import { timeText } from './times.ts'

const checked: unique symbol = Symbol('made by checkAuthority')

/** A CA fit to issue, with its chain to a known root. Only `checkAuthority` makes one. */
export interface Authority {
  readonly [checked]: true
  readonly certificate: Certificate
  /** From the CA itself up to the one below the root; empty for a root that issues itself. */
  readonly intermediates: readonly Certificate[]
  readonly root: Certificate
  /** `intermediates` and `root` as PEM. */
  readonly intermediatesPem: string
  readonly rootPem: string
  readonly publicKey: KeyObject
  readonly algorithm: SignatureAlgorithm
}

export interface AuthorityInput {
  readonly certificate: Certificate
  /** Where its intermediates and its root are found; order, strangers and repetitions do not matter. */
  readonly pool: readonly Certificate[]
  /** The default for the key when left out. */
  readonly algorithm?: SignatureAlgorithmName | undefined
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

/** Decides whether the CA can issue certificates that validators accept (RFC 5280 §6.1.4). */
export function checkAuthority(input: AuthorityInput): Parsed<Authority> {
  return parsed(() => readAuthority(input))
}

/** The CA and all above it, the root last. */
export function pathOf({ intermediates, root }: Authority): readonly Certificate[] {
  return [...intermediates, root]
}

/** How many CAs may stand below the authority, one under the other. */
export function pathLengthLeft(authority: Authority): number {
  const path = pathOf(authority)
  return Math.min(...path.map((ca, i) => roomBelow(ca, path.slice(0, i))))
}

/**
 * How many CAs more `ca` allows below those that stand `below` it. pathLenConstraint counts those
 * that are not self-issued (RFC 5280 §4.2.1.9).
 */
export function roomBelow(ca: Certificate, below: readonly Certificate[]): number {
  const limit = ca.extensions.basicConstraints?.pathLength ?? Number.POSITIVE_INFINITY
  return limit - below.filter((one) => !sameBytes(one.issuer, one.subject)).length
}

function readAuthority({ certificate, pool, algorithm, now }: AuthorityInput): Authority {
  if (isEmptyName(certificate.subject)) {
    refuse('ca-subject-empty', 'the CA certificate has an empty subject; an issuer needs a name')
  }
  if (certificate.extensions.keyUsage === undefined) {
    refuse(
      'ca-key-usage',
      `${show(certificate)} has no keyUsage; give one that has it, with keyCertSign`,
    )
  }
  const { certificates, root } = readChain(certificate, pool)
  const top = certificates.at(-1) ?? certificate
  if (root === undefined) {
    return refuse(
      'chain-incomplete',
      `no certificate was given for ${nameText(top.issuer)}, the issuer of ${show(top)}; give the chain up to its self-signed root`,
    )
  }
  const intermediates = root === certificate ? [] : certificates
  for (const [below, ca] of [...intermediates, root].entries()) {
    checkIsCa(ca)
    checkPathLength(ca, intermediates.slice(0, below))
    checkValidity(ca, now)
  }
  return {
    [checked]: true,
    certificate,
    intermediates,
    root,
    intermediatesPem: intermediates.map(({ der }) => encodePem('CERTIFICATE', der)).join(''),
    rootPem: encodePem('CERTIFICATE', root.der),
    publicKey: certificate.key.publicKey,
    algorithm: chooseAlgorithm(certificate, algorithm),
  }
}

function checkIsCa(ca: Certificate): void {
  const { basicConstraints, keyUsage: usage } = ca.extensions
  if (basicConstraints?.ca !== true) {
    refuse(
      'ca-flag',
      `${show(ca)} is not a CA: its basicConstraints do not say CA:TRUE; give the certificate of a CA`,
    )
  }
  // Roots of old have no keyUsage, which allows all.
  if (usage !== undefined && (usage & keyUsage.keyCertSign) === 0) {
    refuse(
      'ca-key-usage',
      `${show(ca)} may not sign certificates: keyUsage has no keyCertSign; give one that has it`,
    )
  }
}

function checkPathLength(ca: Certificate, below: readonly Certificate[]): void {
  const left = roomBelow(ca, below)
  if (left < 0) {
    const limit = ca.extensions.basicConstraints?.pathLength
    refuse(
      'ca-path-length',
      `${show(ca)} allows ${limit} CAs below it (pathLenConstraint) and the chain has more, so that nobody could use what is signed; give a chain with room for its CAs`,
    )
  }
}

function checkValidity(ca: Certificate, now: number): void {
  if (now > ca.notAfter) {
    refuse('ca-expired', `${show(ca)} expired at ${timeText(ca.notAfter)}; give a renewed one`)
  }
  if (now < ca.notBefore) {
    refuse(
      'ca-not-yet-valid',
      `${show(ca)} is not valid before ${timeText(ca.notBefore)}; wait, give another, or check the clock`,
    )
  }
}

function chooseAlgorithm(
  ca: Certificate,
  name: SignatureAlgorithmName | undefined,
): SignatureAlgorithm {
  const able = algorithmsFor(ca.key)
  const chosen = name === undefined ? able[0] : able.find((one) => one.name === name)
  if (chosen !== undefined) return chosen
  const names = able.map((one) => one.name).join(', ')
  return refuse(
    'ca-algorithm',
    name === undefined
      ? `${show(ca)} has an ${describeKey(ca.key)} key, which Key Vault cannot sign with`
      : `signature algorithm ${name} does not fit the ${describeKey(ca.key)} key of ${show(ca)}; it can sign with ${names}`,
  )
}

function show(ca: Certificate): string {
  return `the CA certificate for ${nameText(ca.subject)}`
}
