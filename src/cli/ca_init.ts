import { IssuerError } from '../error.ts'
import { sameBytes } from '../pki/bytes.ts'
import { type Certificate, parsePemCertificate } from '../pki/certificate.ts'
import { nameText, serialText } from '../pki/names.ts'
import { oid } from '../pki/oids.ts'
import { encodePem } from '../pki/pem.ts'
import type { Parsed } from '../pki/refusal.ts'
import { draftRoot, type RootDraft, sealRoot } from '../pki/self_signed.ts'
import type { SubjectKey } from '../pki/subject_key.ts'
import { serialLength } from '../pki/template.ts'
import { systemRandom } from '../random.ts'
import type { StoredText, VaultKey } from '../vault/key_keeper.ts'
import type { CaInitFlags } from './ca_flags.ts'
import { caTag, ensureCaKey, findCaKey, throwawayKey } from './ca_key.ts'
import { type CaReport, reportOf, reportText } from './ca_report.ts'
import { type Ceremony, performCeremony } from './ceremony.ts'
import { type CommandContext, processContext } from './command_context.ts'
import { issuerBlock } from './issuer_block.ts'

/**
 * Makes a root: a key in the vault, a certificate that this key signs, and a secret that keeps the
 * certificate. What an earlier run did is found and taken.
 *
 * @returns the exit code of the process
 */
export function caInit(
  flags: CaInitFlags,
  context: CommandContext = processContext(),
): Promise<number> {
  return performCeremony('ca init', flags, context, async (ceremony) => {
    const { access, signal } = ceremony
    const stored = await access.keeper.text(flags.name, signal)
    if (stored !== undefined) return await takeStored(ceremony, flags, stored)
    if (flags.dryRun) return await rehearse(ceremony, flags)

    const key = await ensureCaKey(ceremony, flags, 'root')
    const draft = draftOf(flags, key.publicKey, ceremony.now())
    const { algorithm, digest } = draft
    ceremony.did(`signing serial ${serialText(draft.serialNumber)} by ${algorithm.name}`)
    const request = { key: key.ref, algorithm: algorithm.name, digest }
    const raw = await access.vault.sign(request, signal)
    const pem = pemOf(valid(sealRoot(draft, raw)))
    const tags = { [caTag]: 'root', 'key-version': key.ref.version }
    const kept = await access.keeper.setText(flags.name, pem, tags, signal)
    ceremony.did(`kept the certificate in ${secretId(flags, kept)}`)
    return await present(ceremony, flags, key, kept)
  })
}

/** An earlier run came to its end: nothing is made, if that is what the flags ask for. */
async function takeStored(
  ceremony: Ceremony,
  flags: CaInitFlags,
  stored: StoredText,
): Promise<number> {
  const id = secretId(flags, stored)
  if (stored.tags[caTag] !== 'root') {
    throw new IssuerError(
      'ReferenceInvalid',
      `secret ${id} was not made by ca init — choose another --name`,
    )
  }
  const certificate = valid(parsePemCertificate(stored.value))
  const different = differences(certificate, flags)
  if (different.length > 0) {
    throw new IssuerError(
      'ReferenceInvalid',
      `secret ${id} keeps a root with another ${different.join(', ')}, for ` +
        `${nameText(certificate.subject)} — correct the flags, or choose another --name`,
    )
  }
  const keyVersion = flags.keyVersion ?? stored.tags['key-version']
  const key = await findCaKey(ceremony, { ...flags, keyVersion }, 'root')
  ceremony.did(`took the certificate in ${id}, which is there already; nothing was made`)
  return await present(ceremony, flags, key, stored)
}

/** The whole way with a key that is thrown away, so that all is checked and nothing is changed. */
async function rehearse(ceremony: Ceremony, flags: CaInitFlags): Promise<number> {
  const key = await findCaKey(ceremony, flags, 'root')
  const where = `${flags.location.url}/keys/${flags.name}`
  ceremony.did(
    key === undefined
      ? `would make key ${where} (${flags.kind}, ${flags.protection})`
      : `would take key ${key.id}, which is there already`,
  )
  const throwaway = throwawayKey(flags.kind)
  const draft = draftOf(flags, throwaway.publicKey, ceremony.now())
  const certificate = valid(sealRoot(draft, throwaway.sign(draft)))
  ceremony.did(`would sign a root for ${nameText(certificate.subject)} by ${draft.algorithm.name}`)
  ceremony.did(`would keep it in ${flags.location.url}/secrets/${flags.name}`)
  const kept = { value: pemOf(certificate), id: 'a key that was thrown away signed this' }
  const report = reportOf(undefined, kept, ceremony.now())
  ceremony.context.err(reportText({ ...report, problems: [] }))
  return 0
}

async function present(
  ceremony: Ceremony,
  flags: CaInitFlags,
  key: VaultKey | undefined,
  kept: StoredText,
): Promise<number> {
  const report = reportOf(key, { value: kept.value, id: secretId(flags, kept) }, ceremony.now())
  await ceremony.file(report)
  return finish(ceremony, report, () => {
    if (key === undefined) return ''
    return issuerBlock(flags.location.url, key.ref, kept.value, kept.ref)
  })
}

/** Prints the report, and the block if nothing is wrong. */
export function finish({ context }: Ceremony, report: CaReport, block: () => string): number {
  context.err(reportText(report))
  if (report.problems.length > 0) return 1
  context.out(block())
  return 0
}

export function secretId(
  { location }: Pick<CaInitFlags, 'location'>,
  { ref }: Pick<StoredText, 'ref'>,
): string {
  return `${location.url}/secrets/${ref.name}/${ref.version}`
}

/** @throws IssuerError `CertificateInvalid` */
export function valid<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value
  throw new IssuerError('CertificateInvalid', parsed.refusal.message)
}

/** For clocks of others that are behind. */
const backdateMs = 300_000

function draftOf(flags: CaInitFlags, key: SubjectKey, now: number): RootDraft {
  const notBefore = Math.floor((now - backdateMs) / 1000) * 1000
  const end = new Date(notBefore)
  end.setUTCFullYear(end.getUTCFullYear() + flags.years)
  return valid(
    draftRoot({
      subject: flags.subject,
      key,
      pathLength: flags.pathLength,
      nameConstraints: flags.nameConstraints?.value,
      notBefore,
      notAfter: end.getTime(),
      serialBytes: systemRandom.bytes(serialLength),
    }),
  )
}

function differences({ subject, extensions }: Certificate, flags: CaInitFlags): readonly string[] {
  const constraints = extensions.all.find((one) => one.oid === oid.nameConstraints)?.value
  const wanted = flags.nameConstraints?.value
  const same = {
    subject: sameBytes(subject, flags.subject),
    'path length': extensions.basicConstraints?.pathLength === flags.pathLength,
    'name constraints':
      constraints === undefined || wanted === undefined
        ? constraints === wanted
        : sameBytes(constraints, wanted),
  }
  return Object.entries(same).flatMap(([what, isSame]) => (isSame ? [] : [what]))
}

function pemOf({ der }: Certificate): string {
  return encodePem('CERTIFICATE', der)
}
