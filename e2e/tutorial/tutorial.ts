import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Cluster } from '../harness/cluster.ts'
import { ensureTools } from '../harness/tools.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

/** A fenced block of a document. */
interface Block {
  readonly section: string
  readonly language: string
  readonly text: string
}

export interface TutorialOptions {
  /** What differs here from what the reader has: what the document says, and what is so. */
  readonly replace: ReadonlyMap<string, string>
  /** Words that a block begins with when nothing here can run it. */
  readonly cannotRun: readonly string[]
}

/**
 * A document whose blocks are followed: manifests are applied, commands run by a shell with kubectl
 * in its PATH, in a folder that has the project's `config`.
 */
export class Tutorial {
  /** The shell's folder. */
  readonly folder: string
  readonly #cluster: Cluster
  readonly #options: TutorialOptions
  readonly #left: Set<Block>

  constructor(cluster: Cluster, file: string, options: TutorialOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#left = new Set(blocksOf(readFileSync(join(root, file), 'utf8')))
    this.folder = join(cluster.dir, 'tutorial')
    if (existsSync(this.folder)) return
    mkdirSync(this.folder)
    symlinkSync(join(root, 'config'), join(this.folder, 'config'))
  }

  /** Follows a section; returns what its commands printed. */
  async follow(section: string): Promise<string> {
    const blocks = [...this.#left].filter((block) => block.section === section)
    if (blocks.length === 0) throw new Error(`no section "${section}" is left to follow`)
    let printed = ''
    for (const block of blocks) {
      this.#left.delete(block)
      if (this.#isLeftOut(block)) continue
      printed += block.language === 'yaml' ? await this.#apply(block) : await this.#runShell(block)
    }
    return printed
  }

  /** The blocks that can be followed and were not. */
  get left(): readonly Block[] {
    return [...this.#left].filter((block) => !this.#isLeftOut(block))
  }

  #isLeftOut({ text }: Block): boolean {
    return this.#options.cannotRun.some((words) => text.startsWith(words))
  }

  async #apply(block: Block): Promise<string> {
    const input = this.#localize(block.text)
    const { code, stdout, stderr } = await this.#cluster.kubectl(['apply', '-f', '-'], { input })
    if (code !== 0) throw new Error(`kubectl apply: ${stderr}\n${input}`)
    return stdout
  }

  async #runShell(block: Block): Promise<string> {
    const { folders } = await ensureTools()
    const env = {
      PATH: [...folders, process.env.PATH].join(':'),
      HOME: this.#cluster.dir,
      KUBECONFIG: this.#cluster.kubeconfig,
    }
    const script = this.#localize(block.text)
    const { stdout } = await run('/bin/sh', ['-euc', script], { cwd: this.folder, env })
    return stdout
  }

  #localize(text: string): string {
    let here = text
    for (const [said, actual] of this.#options.replace) here = here.replaceAll(said, actual)
    return here
  }
}

function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = []
  const parts = markdown.matchAll(/^## (.+)$|^```(\w+)\n([\s\S]*?)^```$/gm)
  let section = ''
  for (const [, heading, language = '', text = ''] of parts) {
    if (heading === undefined) blocks.push({ section, language, text })
    else section = heading
  }
  return blocks
}
