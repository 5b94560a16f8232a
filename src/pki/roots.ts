import { createHash } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import { encodePem } from './pem.ts'

/** The roots that are handed out with each certificate, in the order in which they are written. */
export interface RootBundle {
  readonly roots: readonly Certificate[]
  /** `status.ca` of each answer. */
  readonly pem: string
}

/**
 * Roots in the order in which they were first published, new ones at the end as they are given. Who
 * signs has no say in it: Istio up to 1.29 takes a new bundle only if it has the octets of the old
 * one in a row.
 *
 * @param published fingerprints, the one that was published first in front; others than of `roots` do not matter
 */
export function bundleRoots(
  roots: readonly Certificate[],
  published: readonly string[],
): RootBundle {
  const byFingerprint = new Map(roots.map((root) => [fingerprint(root.der), root]))
  const order = new Set([...published, ...byFingerprint.keys()])
  const inOrder = [...order].flatMap((one) => byFingerprint.get(one) ?? [])
  return {
    roots: inOrder,
    pem: inOrder.map(({ der }) => encodePem('CERTIFICATE', der)).join(''),
  }
}

/** SHA-256 of a certificate in lower-case hexadecimal, as `openssl x509 -fingerprint -sha256` but for colons. */
export function fingerprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex')
}
