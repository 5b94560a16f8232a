import { verify } from 'node:crypto'
import { hex } from './bytes.ts'
import { type Element, tags } from './der.ts'
import { Fields, readBitOctets, readOid } from './der_fields.ts'
import { objectIdentifier, sequence } from './der_writer.ts'
import { oid } from './oids.ts'
import { refuse } from './refusal.ts'
import { paddingOf, pssIdentifier, signatureAlgorithms } from './signature_algorithms.ts'
import type { SubjectKey } from './subject_key.ts'

/** What certificates and certification requests have in common: a body, and who vouches for it. */
export interface Signed {
  readonly body: Element
  readonly algorithm: Element
  /** ECDSA signatures as the DER of r and s. */
  readonly signature: Uint8Array
}

export function readSigned(element: Element, what: string): Signed {
  const fields = new Fields(element, what)
  const body = fields.required('body', tags.sequence)
  const algorithm = fields.required('signatureAlgorithm', tags.sequence)
  const signature = readBitOctets(fields.required('signature'), `the signature of ${what}`)
  fields.end()
  return { body, algorithm, signature }
}

/** Refuses unless the signature over the body's own octets is by `key`. */
export function checkSignature(signed: Signed, key: SubjectKey, what: string): void {
  const verdict = verifySignature(signed, key)
  if (verdict === 'unsupported') {
    const name = readOid(new Fields(signed.algorithm, what).required('identifier'), what)
    refuse(
      'algorithm-unsupported',
      `${what} is signed with algorithm ${name} or with parameters that are not supported; ` +
        'use SHA-256, SHA-384 or SHA-512 with RSA (for RSASSA-PSS a salt as long as the digest) or ECDSA, or Ed25519',
    )
  }
  if (verdict === 'invalid') {
    refuse('signature-invalid', `the signature of ${what} does not verify with its public key`)
  }
}

export function verifySignature(
  { body, algorithm, signature }: Signed,
  key: SubjectKey,
): 'valid' | 'invalid' | 'unsupported' {
  const method = methods.get(hex(algorithm.der))
  if (method === undefined) return 'unsupported'
  if (method.kind !== key.kind) return 'invalid'
  // The key alone where its defaults do: telling options from a key takes Node 24 as long as RSA.
  const input = method.padding ? { key: key.publicKey, ...method.padding } : key.publicKey
  return verify(method.hash, body.der, input, signature) ? 'valid' : 'invalid'
}

interface Method {
  readonly kind: SubjectKey['kind']
  readonly hash: string | null
  /** None: what node:crypto does by default, which is PKCS #1, and for ECDSA the DER of r and s. */
  readonly padding: ReturnType<typeof paddingOf> | undefined
}

/** By the hex of the whole AlgorithmIdentifier: parameters we have not thought of match nothing. */
const methods: ReadonlyMap<string, Method> = new Map(
  [...signatureMethods()].map(([identifier, method]) => [hex(identifier), method]),
)

function* signatureMethods(): Generator<readonly [Uint8Array, Method]> {
  for (const algorithm of Object.values(signatureAlgorithms)) {
    const { hash, digestLength, scheme, identifier } = algorithm
    const padding = scheme === 'pss' ? paddingOf(algorithm) : undefined
    const method = { kind: scheme === 'ecdsa' ? 'ec' : 'rsa', hash, padding } as const
    yield [identifier, method]
    if (scheme === 'pkcs1') {
      // RFC 4055 §5: the NULL should be there, and its absence must be understood.
      yield [sequence(objectIdentifier(oid[`${hash}WithRsa`])), method]
    }
    if (scheme === 'pss') {
      yield [pssIdentifier(oid[hash], digestLength, [false, true]), method]
      yield [pssIdentifier(oid[hash], digestLength, [true, false]), method]
      yield [pssIdentifier(oid[hash], digestLength, [false, false]), method]
    }
  }
  const ed25519 = { kind: 'ed25519', hash: null, padding: undefined } as const
  yield [sequence(objectIdentifier(oid.ed25519)), ed25519]
}
