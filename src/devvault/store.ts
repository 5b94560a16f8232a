import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { IssuerError } from '../error.ts'
import type { State } from './state.ts'
import { decodeState, encodeState } from './state_file.ts'

const fileName = 'state.json'

/** What was kept in the directory; nothing when it is new. */
export async function loadState(dir: string): Promise<State | undefined> {
  const file = join(dir, fileName)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new IssuerError('SpecInvalid', `the state file ${JSON.stringify(file)} can not be read`, {
      cause,
    })
  }
  return decodeState(text, file)
}

/**
 * Keeps a state in a file that only its owner may read. A crash leaves the old content or the new
 * one, never a part: the file is written beside, synced and renamed.
 */
export class Store {
  readonly #dir: string
  readonly #state: State
  #writing: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(dir: string, state: State) {
    this.#dir = dir
    this.#state = state
  }

  /**
   * Resolves when what the state is now lies on the disk. Calls during a write share the next one;
   * a failed write is told to those who wait for it.
   */
  save(): Promise<void> {
    this.#next ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        this.#writing = this.#write()
        return this.#writing
      })
    return this.#next
  }

  async #write(): Promise<void> {
    const file = join(this.#dir, fileName)
    const beside = `${file}.new`
    const handle = await open(beside, 'w', 0o600)
    try {
      // An older file of that name keeps its mode otherwise.
      await handle.chmod(0o600)
      await handle.writeFile(encodeState(this.#state))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(beside, file)
  }
}
