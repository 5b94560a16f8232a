import { draftCaCsr, sealCsr } from '../pki/csr_write.ts'
import type { SubjectKey } from '../pki/subject_key.ts'
import type { CaCsrFlags } from './ca_flags.ts'
import { valid } from './ca_init.ts'
import { ensureCaKey, findCaKey, throwawayKey } from './ca_key.ts'
import { reportOf } from './ca_report.ts'
import { type Ceremony, performCeremony } from './ceremony.ts'
import { type CommandContext, processContext } from './command_context.ts'
import { writePrivate } from './private_output.ts'

/**
 * Makes a key in the vault, and a request for the certificate of a CA that the key signs.
 *
 * @returns the exit code of the process
 */
export function caCsr(
  flags: CaCsrFlags,
  context: CommandContext = processContext(),
): Promise<number> {
  return performCeremony('ca csr', flags, context, async (ceremony) => {
    if (flags.dryRun) return await rehearse(ceremony, flags)
    const { access, signal } = ceremony
    const key = await ensureCaKey(ceremony, flags, 'intermediate')
    const draft = draftOf(flags, key.publicKey)
    const { algorithm, digest } = draft
    const raw = await access.vault.sign({ key: key.ref, algorithm: algorithm.name, digest }, signal)
    const { pem } = valid(sealCsr(draft, raw))
    // Nothing private is in it; that the file comes to stand there whole is what is wanted.
    if (flags.output === undefined) ceremony.context.out(pem)
    else await writePrivate(flags.output, pem, true)
    ceremony.did(
      `made a request by ${algorithm.name}; give its certificate to akv-issuer ca install`,
    )
    await ceremony.file(reportOf(key, undefined, ceremony.now()))
    return 0
  })
}

async function rehearse(ceremony: Ceremony, flags: CaCsrFlags): Promise<number> {
  const key = await findCaKey(ceremony, flags, 'intermediate')
  const { kind, protection, location, name } = flags
  ceremony.did(
    key === undefined
      ? `would make key ${location.url}/keys/${name} (${kind}, ${protection})`
      : `would take key ${key.id}, which is there already`,
  )
  const throwaway = throwawayKey(kind)
  const draft = draftOf(flags, throwaway.publicKey)
  valid(sealCsr(draft, throwaway.sign(draft)))
  ceremony.did(`would sign a request by ${draft.algorithm.name}`)
  return 0
}

function draftOf({ subject, pathLength, nameConstraints }: CaCsrFlags, key: SubjectKey) {
  const value = nameConstraints?.value
  return valid(draftCaCsr({ subject, key, pathLength, nameConstraints: value }))
}
