import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { parseJson, textAt } from './json.ts'
import { startProcess } from './process.ts'
import { megabytes, seconds, showProgress } from './progress.ts'
import {
  buildFlags,
  builtFolder,
  cacheRoot,
  type KeptFolder,
  linkerFlagsOf,
  requiredGo,
  requiredVersion,
  sourceFolder,
  type ToolModule,
} from './tool_modules.ts'

const run = promisify(execFile)

/** Throws, before any time is spent, when Go is missing or too old or the disk too full. */
export async function checkGround(modules: readonly ToolModule[]): Promise<void> {
  for (const module of modules) await checkGo(module)
  const { stdout } = await run('go', ['env', '-json', 'GOCACHE', 'GOMODCACHE'], { env: goEnv() })
  const goFolders = parseJson(stdout)
  const needed = modules.reduce((sum, module) => sum + module.diskBytes, 0)
  const folders = [cacheRoot, textAt(goFolders, 'GOCACHE'), textAt(goFolders, 'GOMODCACHE')]
  for (const folder of folders) checkDisk(folder, needed)
}

/**
 * Builds the named parts of a module one after the other. Each gets its name only when it is whole,
 * so an interrupt costs at most the part in work.
 */
export async function buildModule(
  module: ToolModule,
  parts: readonly string[],
  out: NodeJS.WriteStream,
): Promise<void> {
  const folder = builtFolder(module)
  mkdirSync(folder, { recursive: true })
  for (const left of readdirSync(folder).filter((name) => name.endsWith('.part'))) {
    rmSync(join(folder, left), { recursive: true })
  }
  for (const part of parts) {
    const program = module.programs.find(({ file }) => file === part)
    const kept = module.keptFolders?.find(({ name }) => name === part)
    const unfinished = join(folder, `${part}.part`)
    if (program) await buildProgram(module, program, unfinished, out)
    if (kept) await copyFolder(module, kept, unfinished)
    renameSync(unfinished, join(folder, part))
  }
}

async function buildProgram(
  module: ToolModule,
  program: ToolModule['programs'][number],
  target: string,
  out: NodeJS.WriteStream,
): Promise<void> {
  const start = performance.now()
  const title = `${program.file} (${nameOf(module.versionOf)} ${requiredVersion(module)})`
  const logFile = join(cacheRoot, 'tools', 'log', `${program.file}.log`)
  rmSync(logFile, { force: true })
  const build = await startProcess({
    name: `go build of ${program.file}`,
    command: 'go',
    args: [
      'build',
      ...buildFlags,
      '-tags',
      (module.tags ?? []).join(),
      '-ldflags',
      linkerFlagsOf(module),
      '-o',
      target,
      program.package,
    ],
    cwd: sourceFolder(module),
    env: goEnv(),
    logFile,
  })
  const progress = showProgress(() => `  building ${title}${downloads(build.output())}`, out)
  const exit = await build.ended()
  const took = seconds(performance.now() - start)
  if (exit.code !== 0) {
    progress.done(`  ${title} failed after ${took}`)
    throw new Error(`${build.describeEnd()}\n${build.logTail()}`)
  }
  progress.done(
    `  built ${title} in ${took}, ${megabytes(statSync(target).size)}${downloads(build.output())}`,
  )
}

/** Without the major version that Go puts at the end of a module's path. */
function nameOf(modulePath: string): string {
  return basename(modulePath.replace(/\/v\d+$/, ''))
}

function downloads(log: string): string {
  const count = log.match(/^go: downloading /gm)?.length ?? 0
  return count === 0 ? '' : `, ${count} modules downloaded`
}

/** Copies a folder out of Go's module cache, which is read-only and may be emptied by others. */
async function copyFolder(tool: ToolModule, kept: KeptFolder, target: string): Promise<void> {
  const { stdout } = await run('go', ['mod', 'download', '-json', kept.module], {
    cwd: sourceFolder(tool),
    env: goEnv(),
  })
  const source = join(textAt(parseJson(stdout), 'Dir'), kept.path)
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const folder = join(target, relative(source, entry.parentPath))
    mkdirSync(folder, { recursive: true })
    // By content: a copied mode would make the copy read-only too.
    writeFileSync(join(folder, entry.name), readFileSync(join(entry.parentPath, entry.name)))
  }
}

async function checkGo(module: ToolModule): Promise<void> {
  const needed = requiredGo(module)
  const advice = [
    `e2e/tools/${module.name} needs Go ${needed} or newer: https://go.dev/dl.`,
    'Put its bin folder into PATH, as in: PATH=/usr/local/go/bin:$PATH make test',
  ].join('\n')
  let version: string
  try {
    // In the module's folder, so that a Go that fetches newer toolchains by itself may do so.
    const { stdout } = await run('go', ['env', 'GOVERSION'], {
      cwd: sourceFolder(module),
      env: goEnv(),
    })
    version = stdout.trim()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const seen = message.includes('ENOENT') ? `no go in PATH (${process.env.PATH})` : message
    throw new Error(`Go is needed to build the test tools, but: ${seen}\n${advice}`, {
      cause: error,
    })
  }
  if (!isAtLeast(version.replace(/^go/, ''), needed)) {
    throw new Error(`the Go in PATH is ${version}.\n${advice}`)
  }
}

function isAtLeast(version: string, needed: string): boolean {
  const have = version.split('.').map((part) => Number.parseInt(part, 10))
  for (const [index, part] of needed.split('.').entries()) {
    const difference = (have[index] ?? 0) - Number.parseInt(part, 10)
    if (difference !== 0) return difference > 0
  }
  return true
}

function checkDisk(folder: string, needed: number): void {
  let existing = folder
  while (!existsSync(existing)) existing = dirname(existing)
  const { bavail, bsize } = statfsSync(existing)
  const free = bavail * bsize
  if (free >= needed) return
  throw new Error(
    `${existing} has ${megabytes(free)} free; building the test tools takes about ${megabytes(needed)}, ` +
      "Go's own caches included. Free some, or choose other places by XDG_CACHE_HOME, GOCACHE and GOMODCACHE.",
  )
}

/** The user's environment, for proxies and caches, without what would change the build. */
function goEnv(): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) env[name] = value
  }
  for (const name of ['GOOS', 'GOARCH', 'GOEXPERIMENT', 'GOBIN']) delete env[name]
  return { ...env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly' }
}
