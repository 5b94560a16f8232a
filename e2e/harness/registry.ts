import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Cluster } from './cluster.ts'
import { at, type Json, listAt, parseJson, textAt } from './json.ts'
import { endProcess, isRunning, type ProcessIdentity, parseIdentity } from './process_identity.ts'
import { removeScratch } from './scratch.ts'

/** What was left running on purpose, so that a later command can end exactly that. */
export interface Registry {
  /** In the order they were started. */
  readonly processes: readonly { readonly name: string; readonly identity: ProcessIdentity }[]
  /** Folders they use. */
  readonly scratch: readonly string[]
}

const graceMs = 5_000

/** Call it before `release`, so that there is no moment in which nobody knows of the processes. */
export function register(file: string, clusters: readonly Cluster[]): void {
  const registry: Registry = {
    processes: clusters
      .flatMap((cluster) => cluster.processes)
      .filter((process) => !process.exit)
      .map(({ name, identity }) => ({ name, identity })),
    scratch: clusters.map((cluster) => cluster.dir),
  }
  writeFileSync(file, `${JSON.stringify(registry, null, 2)}\n`)
}

/**
 * Ends what is registered in `file`, last started first, and removes its folders and the file.
 *
 * @returns the names of the processes that were still running
 */
export async function endRegistered(file: string): Promise<readonly string[]> {
  if (!existsSync(file)) return []
  const { processes, scratch } = parseRegistry(parseJson(readFileSync(file, 'utf8')))
  const running = processes.filter(({ identity }) => isRunning(identity)).toReversed()
  for (const { identity } of running) await endProcess(identity, graceMs)
  for (const dir of scratch) removeScratch(dir)
  rmSync(file)
  return running.map(({ name }) => name)
}

function parseRegistry(json: Json): Registry {
  const processes = listAt(json, 'processes').map((entry) => {
    const name = textAt(entry, 'name')
    const identity = parseIdentity(at(entry, 'identity'))
    if (!identity) throw new Error(`the registry names ${name} without pid and start time`)
    return { name, identity }
  })
  const scratch = listAt(json, 'scratch').filter((dir) => typeof dir === 'string')
  return { processes, scratch }
}
