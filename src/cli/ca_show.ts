import type { CaShowFlags } from './ca_flags.ts'
import { secretId } from './ca_init.ts'
import { reportOf, reportText } from './ca_report.ts'
import { performCeremony } from './ceremony.ts'
import { type CommandContext, processContext } from './command_context.ts'

/**
 * Prints what a CA is, and what is wrong with it.
 *
 * @returns the exit code of the process: 1 when something is wrong
 */
export function caShow(
  flags: CaShowFlags,
  context: CommandContext = processContext(),
): Promise<number> {
  return performCeremony('ca show', flags, context, async (ceremony) => {
    const { access, signal } = ceremony
    const stored = await access.keeper.text(flags.name, signal)
    const version = flags.keyVersion ?? stored?.tags['key-version'] ?? ''
    const key = await access.keeper.key(flags.name, version, signal)
    const kept = stored && { value: stored.value, id: secretId(flags, stored) }
    const report = reportOf(key, kept, ceremony.now())
    context.out(flags.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
    return report.problems.length > 0 ? 1 : 0
  })
}
