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
  approverPolicyModule,
  builtFolder,
  cacheRoot,
  clusterModules,
  helmModule,
  istioModule,
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
  return { ...toolsOf([validatorModule]), ...pythonEnvironment() }
}

/** istiod, Envoy and the CRDs of Istio. */
export async function ensureIstio(
  out: NodeJS.WriteStream = process.stderr,
): Promise<Tools & PythonEnvironment> {
  try {
    await ensure({ modules: [istioModule], python: true }, out)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    const advice =
      'ALLOW_MISSING=istiod in the environment leaves out the tests that need it, and says so last.'
    throw new Error(`istiod cannot be had: ${message}\n${advice}`, { cause })
  }
  return { ...toolsOf([istioModule]), ...pythonEnvironment() }
}

/** helm and kubeconform. */
export async function ensureHelm(out: NodeJS.WriteStream = process.stderr): Promise<Tools> {
  await ensure({ modules: [helmModule], python: false }, out)
  return toolsOf([helmModule])
}

/** approver-policy and its chart. */
export async function ensureApproverPolicy(
  out: NodeJS.WriteStream = process.stderr,
): Promise<Tools> {
  await ensure({ modules: [approverPolicyModule], python: false }, out)
  return toolsOf([approverPolicyModule])
}

export async function ensureAll(out: NodeJS.WriteStream = process.stderr): Promise<void> {
  const modules = [...clusterModules, validatorModule, helmModule, approverPolicyModule]
  await ensure({ modules, python: true }, out)
  try {
    await ensureIstio(out)
  } catch (error) {
    const reason = istioLeftOut()
    if (reason === false) throw error
    out.write(`${error instanceof Error ? error.message : String(error)}\n${reason}\n`)
  }
}

/**
 * Why the tests that need istiod do not run, or false when they do. Only the user may leave them out: the
 * one revision of istiod that Go's module proxy has may not be there for ever.
 */
export function istioLeftOut(): string | false {
  const isAllowed = (process.env.ALLOW_MISSING ?? '').split(',').includes('istiod')
  if (!isAllowed || missingParts(istioModule).length === 0) return false
  return 'istiod could not be built: NO TEST THAT NEEDS IT HAS RUN (ALLOW_MISSING=istiod)'
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

function pythonEnvironment(): PythonEnvironment {
  const environment = builtPython()
  if (environment === undefined) throw new Error('the Python environment was removed meanwhile')
  return environment
}

/** Socket names are short, so the cache's path goes in as a digest. */
function lockName(): string {
  return `tools-${createHash('sha256').update(cacheRoot).digest('hex').slice(0, 16)}`
}
