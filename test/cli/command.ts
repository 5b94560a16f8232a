import assert from 'node:assert/strict'
import type { CommandContext } from '../../src/cli/command_context.ts'
import type { ParsedFlags } from '../../src/cli/parsed_flags.ts'
import { systemClock } from '../../src/clock.ts'

export interface CommandResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

type Work<T> = (flags: T, context: CommandContext) => Promise<number>

/** A command that runs in this process, from its arguments to what it says. */
export function command<T>(parse: (args: readonly string[]) => ParsedFlags<T>, work: Work<T>) {
  return async (args: readonly string[]): Promise<CommandResult> => {
    const parsed = parse(args)
    assert(parsed.ok, JSON.stringify(parsed))
    const said = { out: '', err: '' }
    const code = await work(parsed.flags, {
      clock: systemClock,
      signal: new AbortController().signal,
      out: (text) => {
        said.out += text
      },
      err: (text) => {
        said.err += text
      },
    })
    return { code, ...said }
  }
}
