import { type ProcessOptions, RunningProcess } from './process.ts'

/** In which order programs end: those that ask go before those that answer. */
export type Rank = 'guest' | 'client' | 'server' | 'store'

const endingOrder = ['guest', 'client', 'server', 'store'] as const satisfies readonly Rank[]

/** Programs that belong together, by name. */
export class ProcessGroup {
  readonly #members = new Map<string, { rank: Rank; process: RunningProcess }>()
  #ending = false

  async start(rank: Rank, options: ProcessOptions): Promise<RunningProcess> {
    if (this.#ending) throw new Error(`${options.name}: its group is ending`)
    if (this.#members.has(options.name)) throw new Error(`${options.name} is in the group already`)
    const process = new RunningProcess(options)
    this.#members.set(options.name, { rank, process })
    await process.start()
    return process
  }

  get isEnding(): boolean {
    return this.#ending
  }

  /** In the order they were started. */
  get all(): readonly RunningProcess[] {
    return [...this.#members.values()].map(({ process }) => process)
  }

  get(name: string): RunningProcess {
    const member = this.#members.get(name)
    if (member) return member.process
    throw new Error(`no process ${name}; there are: ${[...this.#members.keys()].join(', ')}`)
  }

  /** Throws with the end of its log when one has ended by itself. */
  assertRunning(): void {
    for (const process of this.all) {
      if (process.exit) throw new Error(`${process.describeEnd()}\n${process.logTail()}`)
    }
  }

  /** Ends all, rank by rank. One that resists does not keep the others alive. */
  async stop(): Promise<void> {
    this.#ending = true
    const failures: unknown[] = []
    for (const rank of endingOrder) {
      const members = [...this.#members.values()].filter((member) => member.rank === rank)
      const ends = await Promise.allSettled(members.map(({ process }) => process.stop()))
      for (const end of ends) if (end.status === 'rejected') failures.push(end.reason)
    }
    if (failures.length > 0) throw new AggregateError(failures, 'some processes did not end')
  }

  /** Lets all outlive this process. */
  async release(): Promise<void> {
    await Promise.all(this.all.map((process) => process.release()))
  }
}
