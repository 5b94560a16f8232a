import { generateKeyPairSync, sign } from 'node:crypto'
import { IssuerError, invariant } from '../error.ts'
import type { SignatureAlgorithm } from '../pki/signature_algorithms.ts'
import { describeKey, parseSubjectKey, type SubjectKey } from '../pki/subject_key.ts'
import type { KeyKind, VaultKey } from '../vault/key_keeper.ts'
import type { CaFlags, CaShape } from './ca_flags.ts'
import type { Ceremony } from './ceremony.ts'

/** By which a key and a secret are known as made for a CA, and of which kind. */
export const caTag = 'akv-issuer-ca'
export type CaRole = 'root' | 'intermediate'

/**
 * The key that the flags speak of, if it is there and fits them.
 *
 * @throws IssuerError `VaultKeyUnusable` for one that was made for something else
 */
export async function findCaKey(
  { access, signal }: Ceremony,
  { name, keyVersion, kind, protection }: CaFlags & CaShape,
  role: CaRole,
): Promise<VaultKey | undefined> {
  const key = await access.keeper.key(name, keyVersion ?? '', signal)
  if (key === undefined) {
    if (keyVersion === undefined) return undefined
    throw new IssuerError('VaultNotFound', `key "${name}" has no version ${keyVersion}`)
  }
  const refuse = (what: string, advice: string): never => {
    throw new IssuerError('VaultKeyUnusable', `key ${key.id} ${what} — ${advice}`)
  }
  // A key that is named by its version was chosen by a person.
  const made = key.tags[caTag]
  if (keyVersion === undefined && made !== role) {
    refuse(
      made === undefined ? 'was not made by this command' : `was made for a CA of kind ${made}`,
      'choose another --name, or name its version by --key-version to use it',
    )
  }
  if (kindOf(key.publicKey) !== kind || key.protection !== protection) {
    const seen = `is ${describeKey(key.publicKey)} in ${key.protection}`
    refuse(seen, `expected ${kind} in ${protection}; correct the flags, or choose another --name`)
  }
  if (!key.enabled) refuse('is disabled', 'enable it, or choose another --name')
  return key
}

/** The key, made now unless an earlier run did. */
export async function ensureCaKey(
  ceremony: Ceremony,
  flags: CaFlags & CaShape,
  role: CaRole,
): Promise<VaultKey> {
  const found = await findCaKey(ceremony, flags, role)
  if (found !== undefined) ceremony.did(`took key ${found.id}, which is there already`)
  const key = found ?? (await makeCaKey(ceremony, flags, role))
  if (flags.keyVersion === undefined) await checkOnlyVersion(ceremony, flags.name)
  return key
}

async function makeCaKey(
  ceremony: Ceremony,
  { name, kind, protection }: CaFlags & CaShape,
  role: CaRole,
): Promise<VaultKey> {
  const request = { kind, protection, tags: { [caTag]: role } }
  const key = await ceremony.access.keeper.createKey(name, request, ceremony.signal)
  ceremony.did(`made key ${key.id} (${kind}, ${protection})`)
  return key
}

/** Key Vault has no "only if there is none": another run may have made one in the same moment. */
async function checkOnlyVersion({ access, signal }: Ceremony, name: string): Promise<void> {
  const versions = await access.keeper.keyVersions(name, signal)
  if (versions <= 1) return
  throw new IssuerError(
    'VaultKeyUnusable',
    `key "${name}" has ${versions} versions: it was rotated, or two ceremonies ran at once — name ` +
      'the one to use by --key-version, and disable those that are not wanted',
  )
}

/** In the place of a key that a dry run does not make. */
export interface ThrowawayKey {
  readonly publicKey: SubjectKey
  /** As Key Vault would sign: r‖s for ECDSA. */
  sign(draft: { readonly der: Uint8Array; readonly algorithm: SignatureAlgorithm }): Uint8Array
}

export function throwawayKey(kind: KeyKind): ThrowawayKey {
  const { publicKey, privateKey } = kind.startsWith('RSA')
    ? generateKeyPairSync('rsa', { modulusLength: Number(kind.slice(4)) })
    : generateKeyPairSync('ec', { namedCurve: kind })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const parsed = parseSubjectKey(new Uint8Array(spki))
  invariant(parsed.ok, 'a key that was just made does not parse')
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
  return {
    publicKey: parsed.value,
    sign: ({ der, algorithm }) => new Uint8Array(sign(algorithm.hash, der, key)),
  }
}

function kindOf(key: SubjectKey): string {
  if (key.kind === 'ec') return key.curve
  return key.kind === 'rsa' ? `RSA-${key.bits}` : 'Ed25519'
}
