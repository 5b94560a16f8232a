import { constants, type KeyObject, hash as oneShotHash, verify } from 'node:crypto'
import { derNull, explicit, objectIdentifier, sequence, unsignedInteger } from './der_writer.ts'
import type { Curve } from './elliptic_curves.ts'
import { oid } from './oids.ts'
import type { SubjectKey } from './subject_key.ts'

export type SignatureAlgorithmName =
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'

type HashBits = 256 | 384 | 512
export type Hash = `sha${HashBits}`
export type SignatureScheme = 'ecdsa' | 'pkcs1' | 'pss'

/** All there is to know about one way a CA key signs. */
export interface SignatureAlgorithm {
  /** RFC 7518 §3.1 and Key Vault. */
  readonly name: SignatureAlgorithmName
  readonly scheme: SignatureScheme
  readonly hash: Hash
  /** Octets of the digest that Key Vault is given; also the salt length of RSASSA-PSS. */
  readonly digestLength: number
  /** The one curve Key Vault takes for this name; none for RSA. */
  readonly curve: Curve | undefined
  /** AlgorithmIdentifier, DER. */
  readonly identifier: Uint8Array
}

export const signatureAlgorithms: Readonly<Record<SignatureAlgorithmName, SignatureAlgorithm>> =
  Object.freeze({
    ES256: ecdsa('ES256', 256, 'P-256', oid.ecdsaWithSha256),
    ES384: ecdsa('ES384', 384, 'P-384', oid.ecdsaWithSha384),
    ES512: ecdsa('ES512', 512, 'P-521', oid.ecdsaWithSha512),
    RS256: pkcs1('RS256', 256, oid.sha256WithRsa),
    RS384: pkcs1('RS384', 384, oid.sha384WithRsa),
    RS512: pkcs1('RS512', 512, oid.sha512WithRsa),
    PS256: pss('PS256', 256, oid.sha256),
    PS384: pss('PS384', 384, oid.sha384),
    PS512: pss('PS512', 512, oid.sha512),
  })

/** The algorithm with this name, which may be anything a user wrote. */
export function signatureAlgorithm(name: string): SignatureAlgorithm | undefined {
  return Object.values(signatureAlgorithms).find((algorithm) => algorithm.name === name)
}

/** What a CA with this key can sign with, the default first; nothing for Ed25519. */
export function algorithmsFor(key: SubjectKey): readonly SignatureAlgorithm[] {
  const all = Object.values(signatureAlgorithms)
  if (key.kind === 'ec') return all.filter((algorithm) => algorithm.curve === key.curve)
  if (key.kind === 'ed25519') return []
  const preferred = rsaDefault(key.bits)
  const others = all.filter((one) => one.scheme !== 'ecdsa' && one !== preferred)
  return [preferred, ...others]
}

/** What Key Vault is asked to sign for `data`. */
export function digest(algorithm: SignatureAlgorithm, data: Uint8Array): Uint8Array {
  return new Uint8Array(oneShotHash(algorithm.hash, data, 'buffer'))
}

/** Whether Key Vault's signature (r‖s for ECDSA) over the digest of `data` is by `publicKey`. */
export function verifyRaw(
  algorithm: SignatureAlgorithm,
  publicKey: KeyObject,
  data: Uint8Array,
  rawSignature: Uint8Array,
): boolean {
  const keyType = algorithm.scheme === 'ecdsa' ? 'ec' : 'rsa'
  if (publicKey.asymmetricKeyType !== keyType) return false
  const options = { key: publicKey, dsaEncoding: 'ieee-p1363', ...paddingOf(algorithm) } as const
  return verify(algorithm.hash, data, options, rawSignature)
}

/** The options `node:crypto` needs beside the hash to verify a signature of this scheme. */
export function paddingOf(algorithm: Pick<SignatureAlgorithm, 'scheme' | 'digestLength'>) {
  if (algorithm.scheme !== 'pss') return {}
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.digestLength }
}

/**
 * AlgorithmIdentifier of RSASSA-PSS with all parameters spelled out (RFC 4055 §3.1): the defaults
 * are SHA-1. The NULL of a hash should be written and must be taken when absent (§2.1).
 */
export function pssIdentifier(hashOid: string, saltLength: number, hashNulls = [true, true]) {
  const [hash, mgfHash] = hashNulls.map((withNull) =>
    withNull ? sequence(objectIdentifier(hashOid), derNull) : sequence(objectIdentifier(hashOid)),
  )
  const mgf1 = sequence(objectIdentifier(oid.mgf1), mgfHash ?? derNull)
  const salt = unsignedInteger(Uint8Array.of(saltLength))
  return sequence(
    objectIdentifier(oid.rsassaPss),
    sequence(explicit(0, hash ?? derNull), explicit(1, mgf1), explicit(2, salt)),
  )
}

type Name = SignatureAlgorithmName

/** No parameters, not even NULL (RFC 5758 §3.2). */
function ecdsa(name: Name, bits: HashBits, curve: Curve, id: string): SignatureAlgorithm {
  const identifier = sequence(objectIdentifier(id))
  return { name, scheme: 'ecdsa', ...hashOf(bits), curve, identifier }
}

/** Parameters are NULL (RFC 4055 §5). */
function pkcs1(name: Name, bits: HashBits, id: string): SignatureAlgorithm {
  const identifier = sequence(objectIdentifier(id), derNull)
  return { name, scheme: 'pkcs1', ...hashOf(bits), curve: undefined, identifier }
}

function pss(name: Name, bits: HashBits, hashId: string): SignatureAlgorithm {
  const identifier = pssIdentifier(hashId, bits / 8)
  return { name, scheme: 'pss', ...hashOf(bits), curve: undefined, identifier }
}

function hashOf(bits: HashBits): Pick<SignatureAlgorithm, 'hash' | 'digestLength'> {
  return { hash: `sha${bits}`, digestLength: bits / 8 }
}

/** cert-manager's CA issuer chooses the same (pkg/util/pki/csr.go, signatureAlgorithmFromPublicKey). */
function rsaDefault(bits: number): SignatureAlgorithm {
  if (bits >= 4096) return signatureAlgorithms.RS512
  if (bits >= 3072) return signatureAlgorithms.RS384
  return signatureAlgorithms.RS256
}
