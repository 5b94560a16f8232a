import { open } from 'node:fs/promises'
import { kubeTime } from '../api/conditions.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import { textAt } from '../json.ts'
import { tokenClaims } from '../vault/token_claims.ts'
import type { CaFlags } from './ca_flags.ts'
import type { CaReport } from './ca_report.ts'
import type { CommandContext } from './command_context.ts'
import { failure } from './private_output.ts'
import { openVault, type VaultAccess } from './vault_access.ts'
import { packageVersion } from './version.ts'

/** What was done, in order. */
export interface Step {
  readonly at: string
  readonly what: string
}

/** One run of a command of the ceremony: the vault, and what there is to file of it. */
export class Ceremony {
  readonly access: VaultAccess
  readonly context: CommandContext
  readonly #command: string
  readonly #flags: CaFlags
  readonly #steps: Step[] = []

  constructor(command: string, flags: CaFlags, access: VaultAccess, context: CommandContext) {
    this.#command = command
    this.#flags = flags
    this.access = access
    this.context = context
  }

  get signal(): AbortSignal {
    return this.context.signal
  }

  /** Milliseconds since the Unix epoch. */
  now(): number {
    return this.context.clock.now()
  }

  /** Notes a step, and tells it. */
  did(what: string): void {
    this.#steps.push({ at: kubeTime(this.now()), what })
    this.#tell(what)
  }

  /** The record in the file that the flags name, if they name one. */
  async file(report: CaReport): Promise<void> {
    const { record, location, name } = this.#flags
    if (record === undefined) return
    const content = {
      tool: `akv-issuer ${packageVersion()}`,
      command: this.#command,
      vault: location.url,
      name,
      operator: operatorOf(await this.access.tokens.token(this.signal)),
      steps: this.#steps,
      ...report,
    }
    await writeNew(record, `${JSON.stringify(content, null, 2)}\n`)
    this.#tell(`the record is in ${record}`)
  }

  #tell(text: string): void {
    tell(this.context, this.#command, text)
  }
}

/**
 * Opens the vault for a command, runs it, and turns what it throws into the exit code.
 *
 * @param work gives the exit code
 */
export async function performCeremony(
  command: string,
  flags: CaFlags,
  context: CommandContext,
  work: (ceremony: Ceremony) => Promise<number>,
): Promise<number> {
  try {
    // Before anything is made of which there would then be no record.
    if (flags.record !== undefined) await checkNew(flags.record)
    const access = openVault(flags)
    try {
      return await work(new Ceremony(command, flags, access, context))
    } finally {
      await access.close()
    }
  } catch (thrown) {
    tell(context, command, issuerErrorFrom(thrown).message)
    return 1
  }
}

function tell(context: CommandContext, command: string, text: string): void {
  context.err(`akv-issuer ${command}: ${text}\n`)
}

/** Who the token says the operator is: a person has a name, a program an application. */
function operatorOf(token: string): Readonly<Record<string, string>> {
  const claims = tokenClaims(token)
  const names = ['upn', 'unique_name', 'appid', 'azp', 'oid', 'tid']
  const present = names.flatMap((name) => {
    const text = textAt(claims, name)
    return text === undefined ? [] : [[name, text] as const]
  })
  return Object.fromEntries(present)
}

async function checkNew(path: string): Promise<void> {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return
  await file.close()
  throw new IssuerError('FileRefused', `${path} is there already; name a new file for this record`)
}

async function writeNew(path: string, content: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o644)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw failure(`cannot write the record ${path}`, error)
  }
}
