import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startProcess } from './process.ts'
import { seconds, showProgress } from './progress.ts'
import { cacheRoot } from './tool_modules.ts'

const run = promisify(execFile)

/** Where the programs in Python are, and the packages they need by exact digests. */
export const pythonSource = join(import.meta.dirname, '..', 'tools', 'python')
const packages = join(pythonSource, 'requirements.txt')
const gnutlsWheel = join(pythonSource, 'gnutls.txt')
const envoyWheel = join(pythonSource, 'envoy.txt')

/** pkilint's own floor. */
const neededPython = '3.10'

/** What the programs in Python run with, and what else comes from PyPI. */
export interface PythonEnvironment {
  readonly python: string
  /** Shared library. */
  readonly gnutls: string
  /** A program that needs no Python. */
  readonly envoy: string
}

/** The environment, or undefined before it was built. */
export function builtPython(): PythonEnvironment | undefined {
  const folder = builtFolder()
  const python = join(folder, 'bin', 'python3')
  const libraries = join(folder, 'gnutls')
  const envoy = join(folder, 'bin', 'envoy')
  if (![python, libraries, envoy].every((path) => existsSync(path))) return undefined
  const gnutls = readdirSync(libraries).find((name) => name.startsWith('libgnutls'))
  return gnutls === undefined ? undefined : { python, gnutls: join(libraries, gnutls), envoy }
}

/** Throws, before any time is spent, when Python is missing or too old or cannot make environments. */
export async function checkPython(): Promise<void> {
  const advice = `The validators and Envoy need Python ${neededPython} or newer with venv; on Debian: apt-get install python3-venv`
  const floor = neededPython.replace('.', ', ')
  const program = `import sys, venv, ensurepip; assert sys.version_info >= (${floor}), sys.version`
  try {
    await run('python3', ['-c', program])
  } catch (error) {
    throw new Error(`python3 -m venv does not work here: ${reasonOf(error)}\n${advice}`, {
      cause: error,
    })
  }
}

/** Makes the environment beside its place and moves it there when it is whole. */
export async function buildPython(out: NodeJS.WriteStream): Promise<void> {
  const folder = builtFolder()
  const unfinished = `${folder}.part`
  mkdirSync(join(cacheRoot, 'tools'), { recursive: true })
  for (const left of [folder, unfinished]) rmSync(left, { recursive: true, force: true })

  const start = performance.now()
  const progress = showProgress(() => '  installing pkilint, GnuTLS and Envoy from PyPI', out)
  try {
    await step('python3', ['-m', 'venv', unfinished])
    const python = join(unfinished, 'bin', 'python3')
    await step(python, [...pipInstall, '-r', packages])
    // By the wheels' tags and not by this Python's: nothing of them that is kept is written in Python.
    const wheels = join(unfinished, 'wheels')
    await step(python, [
      ...pipInstall,
      '--no-deps',
      '--target',
      wheels,
      ...wheelTags,
      '-r',
      gnutlsWheel,
      '-r',
      envoyWheel,
    ])
    keepLibraries(join(wheels, 'av.libs'), join(unfinished, 'gnutls'))
    renameSync(join(wheels, 'envoy', '_bin', 'envoy'), join(unfinished, 'bin', 'envoy'))
    rmSync(wheels, { recursive: true })
  } catch (error) {
    progress.done(`  pkilint, GnuTLS or Envoy failed after ${seconds(performance.now() - start)}`)
    throw error
  }
  renameSync(unfinished, folder)
  progress.done(`  installed pkilint, GnuTLS and Envoy in ${seconds(performance.now() - start)}`)
}

const pipInstall = [
  '-m',
  'pip',
  'install',
  '--require-hashes',
  '--only-binary=:all:',
  '--disable-pip-version-check',
  '--no-input',
  '--root-user-action=ignore',
]
const platform = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const wheelTags = [
  `--platform=manylinux_2_28_${platform}`,
  `--platform=manylinux_2_31_${platform}`,
  '--python-version=3.11',
  '--implementation=cp',
  '--abi=abi3',
]

function keepLibraries(from: string, to: string): void {
  mkdirSync(to)
  for (const name of readdirSync(from)) {
    const isNeeded = /^lib(gnutls|nettle|hogweed|gmp|unistring)-/.test(name)
    if (isNeeded) renameSync(join(from, name), join(to, name))
  }
}

async function step(command: string, args: readonly string[]): Promise<void> {
  const logFile = join(cacheRoot, 'tools', 'log', 'python.log')
  const started = await startProcess({
    name: `${command} ${args.slice(0, 3).join(' ')}`,
    command,
    args,
    env: pythonEnv(),
    logFile,
  })
  const exit = await started.ended()
  if (exit.code !== 0) throw new Error(`${started.describeEnd()}\n${started.logTail()}`)
}

/** The user's environment, for proxies, caches and the package index. */
function pythonEnv(): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) env[name] = value
  }
  for (const name of ['PYTHONHOME', 'PYTHONPATH', 'PIP_TARGET', 'PIP_USER']) delete env[name]
  return env
}

function builtFolder(): string {
  const hash = createHash('sha256')
  for (const file of [packages, gnutlsWheel, envoyWheel]) hash.update(readFileSync(file))
  const digest = hash.update(platform).digest('hex').slice(0, 16)
  return join(cacheRoot, 'tools', `python-${digest}`)
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes('ENOENT')) return `no python3 in PATH (${process.env.PATH})`
  return message.trim().split('\n').at(-1) ?? message
}
