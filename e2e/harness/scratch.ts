import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parseJson } from './json.ts'
import { identify, isRunning, type ProcessIdentity, parseIdentity } from './process_identity.ts'

const prefix = `akv-issuer-${process.getuid?.() ?? 'user'}-`
const ownerFile = 'owner.json'
const logsFolder = 'logs'
const keepLogsMs = 24 * 3600_000

/**
 * A folder for one run. When the owning process ends well it is removed; when it fails the logs
 * stay, and a line on standard error says where.
 */
export class Scratch {
  readonly dir: string
  readonly logs: string
  readonly #purpose: string
  #kept = false

  constructor(purpose: string) {
    removeAbandoned()
    this.#purpose = purpose
    this.dir = mkdtempSync(join(tmpdir(), `${prefix}${purpose}-`))
    this.logs = join(this.dir, logsFolder)
    mkdirSync(this.logs)
    const owner = identify(process.pid)
    if (owner) this.#setOwner(owner)
    process.once('exit', (code) => this.#onExit(code))
  }

  /** Removes all but the logs. For when nothing uses the folder any more. */
  empty(): void {
    emptyButLogs(this.dir)
  }

  /** Hands the folder to a process that outlives this one. */
  handOver(owner: ProcessIdentity): void {
    this.#kept = true
    this.#setOwner(owner)
  }

  #setOwner(owner: ProcessIdentity): void {
    writeFileSync(join(this.dir, ownerFile), JSON.stringify(owner))
  }

  #onExit(code: number): void {
    if (this.#kept || !existsSync(this.dir)) return
    try {
      if (code === 0) rmSync(this.dir, { recursive: true, force: true })
      else emptyButLogs(this.dir)
    } catch {
      // Somebody still writes there; the next run clears it.
    }
    if (code !== 0) process.stderr.write(`logs of the ${this.#purpose}: ${this.logs}\n`)
  }
}

/** Removes a folder made here by this or another process; leaves any other folder alone. */
export function removeScratch(dir: string): void {
  const isOurs = dirname(dir) === tmpdir() && basename(dir).startsWith(prefix)
  if (isOurs) rmSync(dir, { recursive: true, force: true })
}

/** Clears what runs left behind that could not end in order: logs after a day, the rest at once. */
function removeAbandoned(): void {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(prefix))) {
    const dir = join(tmpdir(), name)
    try {
      if (isOwned(dir)) continue
      if (Date.now() - statSync(dir).mtimeMs > keepLogsMs) rmSync(dir, { recursive: true })
      else emptyButLogs(dir)
    } catch {
      // Another run clears the same folder, or has just made it.
    }
  }
}

function isOwned(dir: string): boolean {
  const owner = parseIdentity(parseJson(readFileSync(join(dir, ownerFile), 'utf8')))
  return owner !== undefined && isRunning(owner)
}

function emptyButLogs(dir: string): void {
  for (const name of readdirSync(dir)) {
    if (name === logsFolder || name === ownerFile) continue
    rmSync(join(dir, name), { recursive: true, force: true })
  }
}
