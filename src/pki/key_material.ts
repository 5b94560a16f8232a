import { type Certificate, parseCertificate } from './certificate.ts'
import { decodeBase64, type KeyBundle, Scratch } from './key_bundle.ts'
import { readKeyPem } from './key_pem.ts'
import { type Found, findLeaf, readAll, repairChain } from './leaf_chain.ts'
import { encodePem } from './pem.ts'
import { readPfx } from './pkcs12.ts'
import { type PrivateKey, readPrivateKey } from './private_key.ts'
import { type Parsed, parsed, parsedAsync, refuse } from './refusal.ts'
import { describeKey } from './subject_key.ts'

/** A certificate with its key and its chain, as TLS servers want them. */
export interface KeyMaterial {
  /** The one whose public key is that of the private key. */
  readonly certificate: Certificate
  /** The certificate, then each one's issuer; without the root, unless it is the certificate itself. */
  readonly chain: readonly Certificate[]
  readonly root: Certificate | undefined
  /** What lacks up to the root, a sentence each; empty exactly when the root is known. */
  readonly missing: readonly string[]
  /** `PRIVATE KEY`, encoded anew. */
  readonly privateKeyPkcs8Pem: string
  /** `chain` as PEM. */
  readonly chainPem: string
  readonly rootPem: string | undefined
}

/** What Key Vault answers for the secret of a certificate's version. */
export interface CertificateSecret {
  readonly value: string
  readonly contentType: string
}

/**
 * Reads the secret of a Key Vault certificate: a PFX with a blank password, or PEM. The order of
 * what it holds does not matter and strangers are left out; a chain that is not complete is no
 * reason to refuse. Dates, names and usages are for the caller to judge.
 */
export function readKeyMaterial(secret: CertificateSecret): Promise<Parsed<KeyMaterial>> {
  return parsedAsync(async () => {
    const scratch = new Scratch()
    try {
      return assemble(await readBundle(secret, scratch), scratch)
    } finally {
      scratch.wipe()
    }
  })
}

/** Key Vault's own bound for a secret is 25,600 octets. */
const maxLength = 131_072

async function readBundle(secret: CertificateSecret, scratch: Scratch): Promise<KeyBundle> {
  const { value, contentType } = secret
  if (value.length > maxLength) {
    refuse(
      'secret-too-large',
      `the secret has ${value.length} characters; at most ${maxLength} are read`,
    )
  }
  const read = readers.get(contentType)
  if (read !== undefined) return read(value, scratch)
  return refuse(
    'secret-content-type',
    `the contentType of the secret is ${JSON.stringify(contentType.slice(0, 100))}; expected that of a certificate: ${[...readers.keys()].join(' or ')}`,
  )
}

type BundleReader = (value: string, scratch: Scratch) => KeyBundle | Promise<KeyBundle>

const readers: ReadonlyMap<string, BundleReader> = new Map<string, BundleReader>([
  ['application/x-pkcs12', readPfxValue],
  ['application/x-pem-file', readKeyPem],
])

async function readPfxValue(value: string, scratch: Scratch): Promise<KeyBundle> {
  const base64 = value.trim()
  const file = decodeBase64(base64, scratch)
  if (Buffer.from(file).toString('base64') !== base64) {
    refuse('secret-encoding', 'the secret is not base64; expected a PFX in base64')
  }
  // A certificate alone in the place of a PFX: there is no key to hand out.
  if (parseCertificate(file).ok) refuseKeyless()
  return readPfx(file, '', scratch)
}

function assemble({ certificates, keys }: KeyBundle, scratch: Scratch): KeyMaterial {
  if (keys.length === 0) refuseKeyless()
  const found = readAll(certificates)
  const { privateKey, leaf } = matchKey(keys, found, scratch)
  const { certificates: chain, root, missing } = repairChain(leaf, found)
  return {
    certificate: leaf,
    chain,
    root,
    missing,
    privateKeyPkcs8Pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    chainPem: chain.map(certificatePem).join(''),
    rootPem: root && certificatePem(root),
  }
}

interface Match {
  readonly privateKey: PrivateKey['privateKey']
  readonly leaf: Certificate
}

/** The key and its certificate. Of several keys exactly one must have a certificate. */
function matchKey(keys: readonly Uint8Array[], found: Found, scratch: Scratch): Match {
  const [only, ...others] = keys
  if (only !== undefined && others.length === 0) return matchOne(only, found, scratch)
  const matches = keys.flatMap((key) => {
    const match = parsed(() => matchOne(key, found, scratch))
    return match.ok ? [match.value] : []
  })
  const [match, ...rivals] = matches
  if (match !== undefined && rivals.length === 0) return match
  return refuse(
    'key-ambiguous',
    `the secret holds ${keys.length} private keys, of which ${matches.length} have a certificate; expected exactly one`,
  )
}

function matchOne(key: Uint8Array, found: Found, scratch: Scratch): Match {
  const { privateKey, publicKey } = readPrivateKey(key, scratch)
  const leaf = findLeaf(publicKey, found.certificates)
  if (leaf !== undefined) return { privateKey, leaf }
  const count = found.certificates.length
  const reasons = found.unreadable
    .slice(0, 3)
    .map(({ message }) => `; one more cannot be read: ${message}`)
  return refuse(
    'key-mismatch',
    `none of the ${count} certificates in the secret is for its ${describeKey(publicKey)} key${reasons.join('')}`,
  )
}

function refuseKeyless(): never {
  return refuse(
    'key-not-exportable',
    "the secret holds no private key: the key is not exportable; set key_props.exportable to true in the certificate's policy and create a new version",
  )
}

function certificatePem({ der }: Certificate): string {
  return encodePem('CERTIFICATE', der)
}
