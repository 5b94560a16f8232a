import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildModule, checkGround } from './go_build.ts'
import { lock } from './lock.ts'
import { seconds } from './progress.ts'
import { builtFolder, cacheRoot, partsOf, type ToolModule, toolModules } from './tool_modules.ts'

/** The programs the tests start, ready to run. */
export interface Tools {
  /** Folders for PATH: `kubectl` and the others are in them. */
  readonly folders: readonly string[]
  /** Path of a program, or of another part of a module. */
  readonly path: (part: string) => string
}

/**
 * Builds what the cache lacks, showing progress on `out`. What is there already is used without
 * looking at Go.
 */
export async function ensureTools(out: NodeJS.WriteStream = process.stderr): Promise<Tools> {
  if (!isComplete()) {
    const held = await lock(lockName(), () =>
      out.write('another run is building the test tools; waiting for it\n'),
    )
    try {
      // Whoever held the lock may have built them.
      if (!isComplete()) await buildMissing(out)
    } finally {
      await held.release()
    }
  }
  const paths = new Map(
    toolModules.flatMap((module) =>
      partsOf(module).map((part) => [part, join(builtFolder(module), part)]),
    ),
  )
  return {
    folders: toolModules.map(builtFolder),
    path(part) {
      const path = paths.get(part)
      if (path === undefined) throw new Error(`no tool is named ${part}`)
      return path
    },
  }
}

async function buildMissing(out: NodeJS.WriteStream): Promise<void> {
  const start = performance.now()
  const modules = toolModules.filter((module) => missingParts(module).length > 0)
  await checkGround(modules)
  out.write(`building test tools into ${join(cacheRoot, 'tools')}, once\n`)
  for (const module of modules) await buildModule(module, missingParts(module), out)
  out.write(`test tools ready after ${seconds(performance.now() - start)}\n`)
}

function isComplete(): boolean {
  return toolModules.every((module) => missingParts(module).length === 0)
}

function missingParts(module: ToolModule): readonly string[] {
  return partsOf(module).filter((part) => !existsSync(join(builtFolder(module), part)))
}

/** Socket names are short, so the cache's path goes in as a digest. */
function lockName(): string {
  return `tools-${createHash('sha256').update(cacheRoot).digest('hex').slice(0, 16)}`
}
