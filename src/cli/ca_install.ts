import { readFile } from 'node:fs/promises'
import { IssuerError } from '../error.ts'
import { type Authority, checkAuthority } from '../pki/authority.ts'
import { sameBytes } from '../pki/bytes.ts'
import { type Certificate, parsePemCertificates } from '../pki/certificate.ts'
import { nameText } from '../pki/names.ts'
import { describeKey } from '../pki/subject_key.ts'
import type { VaultKey } from '../vault/key_keeper.ts'
import type { CaInstallFlags } from './ca_flags.ts'
import { finish, secretId, valid } from './ca_init.ts'
import { caTag } from './ca_key.ts'
import { reportOf } from './ca_report.ts'
import { type Ceremony, performCeremony } from './ceremony.ts'
import { type CommandContext, processContext } from './command_context.ts'
import { issuerBlock } from './issuer_block.ts'
import { failure } from './private_output.ts'

/**
 * Keeps the certificate that another CA made for a key of the vault, after it was found fit to issue.
 *
 * @returns the exit code of the process
 */
export function caInstall(
  flags: CaInstallFlags,
  context: CommandContext = processContext(),
): Promise<number> {
  return performCeremony('ca install', flags, context, async (ceremony) => {
    const { access, signal } = ceremony
    const found = await readFiles(flags)
    const key = await access.keeper.key(flags.name, flags.keyVersion ?? '', signal)
    if (key === undefined) {
      throw new IssuerError(
        'VaultNotFound',
        `there is no key "${flags.name}" at ${flags.location.url} — make it by akv-issuer ca csr`,
      )
    }
    const authority = authorityOf(found, key, ceremony.now())
    const { intermediatesPem, rootPem } = authority
    const kept = await keep(ceremony, flags, key, intermediatesPem + rootPem)
    const { value = intermediatesPem + rootPem, ref } = kept ?? {}
    const id = ref === undefined ? undefined : secretId(flags, { ref })
    const report = reportOf(key, { value, id: id ?? 'nothing: this is a dry run' }, ceremony.now())
    const notes = [...report.notes, ...nameNotes(authority)]
    await ceremony.file({ ...report, notes })
    return finish(ceremony, { ...report, notes }, () =>
      ref === undefined ? '' : issuerBlock(flags.location.url, key.ref, value, ref),
    )
  })
}

async function readFiles(flags: CaInstallFlags): Promise<readonly Certificate[]> {
  const files = [flags.certificateFile, flags.chainFile].filter((file) => file !== undefined)
  const texts = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, 'utf8').catch((error: unknown) => {
        throw failure(`cannot read ${file}`, error)
      })
      return valid(parsePemCertificates(text))
    }),
  )
  return texts.flat()
}

/** The CA is the one whose key is the vault's; the others stand above it, in whatever order. */
function authorityOf(found: readonly Certificate[], key: VaultKey, now: number): Authority {
  const certificate = found.find((one) => sameBytes(one.key.spki, key.publicKey.spki))
  if (certificate === undefined) {
    const seen = found.map((one) => `${nameText(one.subject)} (${describeKey(one.key)})`).join(', ')
    throw new IssuerError(
      'CertificateKeyMismatch',
      `no certificate is for the ${describeKey(key.publicKey)} key ${key.id}; there are those of ` +
        `${seen} — give the one that was made for the request of akv-issuer ca csr`,
    )
  }
  return valid(checkAuthority({ certificate, pool: found, now }))
}

/** @returns nothing on a dry run */
async function keep(ceremony: Ceremony, flags: CaInstallFlags, key: VaultKey, pem: string) {
  const { access, signal } = ceremony
  const stored = await access.keeper.text(flags.name, signal)
  if (stored?.value === pem) {
    ceremony.did(`took the certificate in ${secretId(flags, stored)}, which is there already`)
    return stored
  }
  if (stored !== undefined && stored.tags[caTag] === undefined) {
    throw new IssuerError(
      'ReferenceInvalid',
      `secret ${secretId(flags, stored)} was not made by ca install — choose another --name`,
    )
  }
  if (stored !== undefined && !flags.replace) {
    throw new IssuerError(
      'ReferenceInvalid',
      `secret ${secretId(flags, stored)} keeps another certificate — add a version by --replace; ` +
        'issuers keep the one that they name',
    )
  }
  if (flags.dryRun) {
    ceremony.did(`would keep the certificate in ${flags.location.url}/secrets/${flags.name}`)
    return undefined
  }
  const tags = { [caTag]: 'intermediate', 'key-version': key.ref.version }
  const kept = await access.keeper.setText(flags.name, pem, tags, signal)
  ceremony.did(`kept the certificate in ${secretId(flags, kept)}`)
  return kept
}

/** Validators without key identifiers take a CA with its root's name for that root. */
function nameNotes({ certificate, root }: Authority): readonly string[] {
  if (certificate === root || !sameBytes(certificate.subject, root.subject)) return []
  return [`the CA has the name of its root, ${nameText(root.subject)}; have it made with another`]
}
