import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildModule, checkGround } from './go_build.ts'
import { lock } from './lock.ts'
import { seconds } from './progress.ts'
import {
  buildPython,
  builtPython,
  checkPython,
  type PythonEnvironment,
} from './python_environment.ts'
import {
  builtFolder,
  cacheRoot,
  clusterModules,
  partsOf,
  type ToolModule,
  validatorModule,
} from './tool_modules.ts'

/** The programs the tests start, ready to run. */
export interface Tools {
  /** Folders for PATH: `kubectl` and the others are in them. */
  readonly folders: readonly string[]
  /** Path of a program, or of another part of a module. */
  readonly path: (part: string) => string
}

/** The programs of a cluster. */
export async function ensureTools(out: NodeJS.WriteStream = process.stderr): Promise<Tools> {
  await ensure({ modules: clusterModules, python: false }, out)
  return toolsOf(clusterModules)
}

/** The programs that judge certificates. */
export async function ensureValidators(
  out: NodeJS.WriteStream = process.stderr,
): Promise<Tools & PythonEnvironment> {
  await ensure({ modules: [validatorModule], python: true }, out)
  const environment = builtPython()
  if (environment === undefined) throw new Error('the Python environment was removed meanwhile')
  return { ...toolsOf([validatorModule]), ...environment }
}

export async function ensureAll(out: NodeJS.WriteStream = process.stderr): Promise<void> {
  await ensure({ modules: [...clusterModules, validatorModule], python: true }, out)
}

interface ToolSet {
  readonly modules: readonly ToolModule[]
  readonly python: boolean
}

/**
 * Builds what the cache lacks, showing progress on `out`. What is there already is used without
 * looking at Go or Python.
 */
async function ensure(set: ToolSet, out: NodeJS.WriteStream): Promise<void> {
  if (isComplete(set)) return
  const held = await lock(lockName(), () =>
    out.write('another run is building the test tools; waiting for it\n'),
  )
  try {
    // Whoever held the lock may have built them.
    if (!isComplete(set)) await buildMissing(set, out)
  } finally {
    await held.release()
  }
}

async function buildMissing(set: ToolSet, out: NodeJS.WriteStream): Promise<void> {
  const start = performance.now()
  const modules = set.modules.filter((module) => missingParts(module).length > 0)
  const python = set.python && builtPython() === undefined
  if (modules.length > 0) await checkGround(modules)
  if (python) await checkPython()
  out.write(`building test tools into ${join(cacheRoot, 'tools')}, once\n`)
  for (const module of modules) await buildModule(module, missingParts(module), out)
  if (python) await buildPython(out)
  out.write(`test tools ready after ${seconds(performance.now() - start)}\n`)
}

function isComplete({ modules, python }: ToolSet): boolean {
  const isBuilt = modules.every((module) => missingParts(module).length === 0)
  return isBuilt && !(python && builtPython() === undefined)
}

function toolsOf(modules: readonly ToolModule[]): Tools {
  const paths = new Map(
    modules.flatMap((module) =>
      partsOf(module).map((part) => [part, join(builtFolder(module), part)]),
    ),
  )
  return {
    folders: modules.map(builtFolder),
    path(part) {
      const path = paths.get(part)
      if (path === undefined) throw new Error(`no tool is named ${part}`)
      return path
    },
  }
}

function missingParts(module: ToolModule): readonly string[] {
  return partsOf(module).filter((part) => !existsSync(join(builtFolder(module), part)))
}

/** Socket names are short, so the cache's path goes in as a digest. */
function lockName(): string {
  return `tools-${createHash('sha256').update(cacheRoot).digest('hex').slice(0, 16)}`
}
