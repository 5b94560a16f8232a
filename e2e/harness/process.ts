import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { spawnLeashed } from './leash.ts'
import { endProcess, identify, type ProcessIdentity, sendSignal } from './process_identity.ts'
import { GiveUp, until } from './until.ts'

export interface ProcessOptions {
  /** For messages and the log file. */
  readonly name: string
  readonly command: string
  readonly args?: readonly string[]
  /** The whole environment. Default: PATH only, so that proxies and credentials do not leak in. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Standard output and error are appended here. */
  readonly logFile: string
  /** Asked until true, with what was written since the start. Default: ready at once. */
  readonly readyWhen?: (output: string) => boolean | Promise<boolean>
  /** Default 60 s. */
  readonly readyWithinMs?: number
  /** From TERM to KILL, default 5 s. */
  readonly graceMs?: number
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * Starts a program and waits until it is ready. The program and whatever it starts are killed when
 * this process ends for any reason, SIGKILL included, unless `release` was called.
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const started = new RunningProcess(options)
  await started.start()
  return started
}

export class RunningProcess {
  readonly name: string
  readonly logFile: string
  #options: ProcessOptions
  #life: Life | undefined

  constructor(options: ProcessOptions) {
    this.name = options.name
    this.logFile = options.logFile
    this.#options = options
  }

  /** What ended it, or undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#life?.exit
  }

  get identity(): ProcessIdentity {
    if (!this.#life) throw new Error(`${this.name} was never started`)
    return this.#life.identity
  }

  /** Starts it again after it has ended, with the same options but for `changes`. */
  async start(changes: Partial<Pick<ProcessOptions, 'args' | 'env'>> = {}): Promise<void> {
    if (this.#life && !this.#life.exit) throw new Error(`${this.name} runs already`)
    this.#options = { ...this.#options, ...changes }
    const life = beginLife(this.#options)
    this.#life = life
    const { readyWhen, readyWithinMs } = this.#options
    if (!readyWhen) return
    try {
      await until(
        `${this.name} ready`,
        () => {
          if (life.exit) throw new GiveUp(this.describeEnd())
          return readyWhen(this.output())
        },
        readyWithinMs ?? 60_000,
      )
    } catch (error) {
      await this.stop()
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`${message}\n${this.logTail()}`, { cause: error })
    }
  }

  async restart(changes: Partial<Pick<ProcessOptions, 'args' | 'env'>> = {}): Promise<void> {
    await this.stop()
    await this.start(changes)
  }

  /** What this run of the program has written so far. */
  output(): string {
    return existsSync(this.logFile)
      ? readFileSync(this.logFile)
          .subarray(this.#life?.logStart ?? 0)
          .toString('utf8')
      : ''
  }

  /** The end of the log, for a failure message, with the file's name. */
  logTail(lines = 15): string {
    const tail = this.output().trimEnd().split('\n').slice(-lines)
    return [`last lines of ${this.logFile}:`, ...tail].join('\n  ')
  }

  describeEnd(): string {
    const { exit } = this
    if (!exit) return `${this.name} is running`
    return `${this.name} ended with ${exit.signal ?? `exit code ${exit.code}`}`
  }

  /** Stops all its threads where they are. The program looks hung until `resume`. */
  pause(): void {
    this.signal('SIGSTOP')
  }

  resume(): void {
    this.signal('SIGCONT')
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#life && !this.#life.exit) sendSignal(this.#life.identity.pid, signal)
  }

  /** SIGKILL, as the kernel does when memory is short. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended()
  }

  /** TERM, KILL after the grace time; nothing when it has ended before. */
  async stop(): Promise<void> {
    const life = this.#life
    if (!life) return
    if (!life.exit) {
      this.resume()
      await endProcess(life.identity, this.#options.graceMs ?? 5_000)
    }
    await this.ended()
  }

  /** Resolves when the program ends by itself. */
  async ended(): Promise<Exit> {
    if (!this.#life) throw new Error(`${this.name} was never started`)
    // A lone promise does not keep Node running, and the child is unreferenced.
    const awake = setInterval(() => undefined, 60_000)
    try {
      return await this.#life.ended
    } finally {
      clearInterval(awake)
    }
  }

  /** Lets the program outlive this process. */
  async release(): Promise<void> {
    await this.#life?.release()
  }
}

/** One run of a program. */
interface Life {
  readonly identity: ProcessIdentity
  readonly logStart: number
  readonly ended: Promise<Exit>
  readonly release: () => Promise<void>
  exit: Exit | undefined
}

function beginLife(options: ProcessOptions): Life {
  mkdirSync(dirname(options.logFile), { recursive: true })
  const log = openSync(options.logFile, 'a')
  const logStart = statSync(options.logFile).size
  const { child, release } = spawnLeashed(
    options.command,
    options.args ?? [],
    ['ignore', log, log],
    {
      env: options.env ?? { PATH: process.env.PATH ?? '/usr/bin:/bin' },
      cwd: options.cwd,
    },
  )
  closeSync(log)
  child.on('error', () => undefined)
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (!identity) throw new Error(`${options.name}: the process could not be started`)

  const life: Life = {
    identity,
    logStart,
    release,
    exit: undefined,
    ended: new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        life.exit = { code, signal }
        resolve(life.exit)
      })
    }),
  }
  return life
}
