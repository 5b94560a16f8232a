// What `make test`, `unit`, `e2e`, `bench` and `soak` do: node e2e/stages.ts WORD
// ONLY=word in the environment picks the files whose name has the word (not for unit).
// ALLOW_MISSING=istiod goes without the tests of Istio where istiod cannot be built.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { spawnLeashed } from './harness/leash.ts'
import { seconds } from './harness/progress.ts'
import { istioLeftOut } from './harness/tools.ts'

interface Stage {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

interface Running {
  /** Whether it went well. */
  readonly ended: Promise<boolean>
  /** Passes on what a stage in the background has said, and from now on everything at once. */
  show(): void
}

const root = join(import.meta.dirname, '..')
const only = process.env.ONLY ?? ''
const start = performance.now()

const unitStages: readonly Stage[] = [
  { name: 'lint (biome)', command: 'biome', args: ['check', '.'] },
  { name: 'lint (oxlint)', command: 'oxlint', args: ['--deny-warnings'] },
  { name: 'types', command: 'tsc', args: ['--noEmit'] },
  {
    name: 'unit tests',
    command: 'node',
    // Of two cores, node would use one.
    args: ['--test', '--test-concurrency=2', '--test-reporter=dot', 'test/**/*.test.ts'],
  },
]
const toolStage: Stage = {
  name: 'test tools',
  command: 'node',
  args: ['e2e/harness/build_tools.ts'],
}

const targets = new Map<string, () => Promise<boolean>>([
  ['unit', runUnit],
  ['e2e', async () => (await shown(toolStage)) && runEndToEnd()],
  ['test', runAll],
  ['bench', () => runEach('bench', /\.ts$/)],
  ['soak', () => runEach('e2e/soak', /\.ts$/)],
])

const word = process.argv[2] ?? ''
const target = targets.get(word)
if (!target) throw new Error(`expected one of ${[...targets.keys()].join(', ')}, got "${word}"`)
const passed = await target()
say(`${word} ${passed ? 'passed' : 'FAILED'} after ${seconds(performance.now() - start)}`)
const leftOut = istioLeftOut()
if (leftOut !== false && word !== 'unit') say(leftOut)
// At once: what still runs in the background ends with this process.
process.exit(passed ? 0 : 1)

async function runAll(): Promise<boolean> {
  const tools = begin(toolStage, 'pipe')
  if (!(await runUnit())) return false
  tools.show()
  return (await tools.ended) && runEndToEnd()
}

async function runUnit(): Promise<boolean> {
  for (const stage of unitStages) {
    const running = begin(stage, 'pipe')
    if (await running.ended) continue
    running.show()
    return false
  }
  return true
}

function runEndToEnd(): Promise<boolean> {
  const files = pick('e2e', /\.test\.ts$/)
  if (files.length === 0) return Promise.resolve(false)
  // One more than two cores: much of a file's time is waiting.
  const flags = ['--test', '--test-concurrency=3', '--test-timeout=600000', '--test-reporter=spec']
  return shown({ name: 'end-to-end tests', command: 'node', args: [...flags, ...files] })
}

async function runEach(folder: string, suffix: RegExp): Promise<boolean> {
  const files = pick(folder, suffix)
  for (const file of files) {
    if (!(await shown({ name: file, command: 'node', args: [file] }))) return false
  }
  return files.length > 0
}

function pick(folder: string, suffix: RegExp): readonly string[] {
  const path = join(root, folder)
  const names = existsSync(path) ? readdirSync(path).filter((name) => suffix.test(name)) : []
  const picked = names.filter((name) => name.includes(only)).sort()
  if (picked.length === 0) {
    const among = names.length === 0 ? 'it has none' : `it has: ${names.join(', ')}`
    say(`no file of ${folder}/ ${only === '' ? 'to run' : `has "${only}" in its name`}; ${among}`)
  }
  return picked.map((name) => join(folder, name))
}

/** Runs a stage in the foreground. */
function shown(stage: Stage): Promise<boolean> {
  return begin(stage, 'inherit').ended
}

/** Starts a stage; `pipe` holds its output back, so that stages side by side do not mix theirs. */
function begin(stage: Stage, output: 'inherit' | 'pipe'): Running {
  const from = performance.now()
  const held: Uint8Array[] = []
  let isShown = false
  const { child } = spawnLeashed(stage.command, stage.args, ['ignore', output, output], {
    cwd: root,
    env: { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}` },
  })
  child.ref()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Uint8Array) => {
      if (isShown) process.stdout.write(chunk)
      else held.push(chunk)
    })
  }
  const ended = new Promise<boolean>((resolve) => {
    child.on('error', () => resolve(false))
    child.on('close', (code, signal) => {
      const took = seconds(performance.now() - from)
      const result = code === 0 ? took : `FAILED after ${took} (${signal ?? `exit code ${code}`})`
      say(`${stage.name}: ${result}`)
      resolve(code === 0)
    })
  })
  return {
    ended,
    show() {
      isShown = true
      for (const chunk of held.splice(0)) process.stdout.write(chunk)
    },
  }
}

function say(line: string): void {
  process.stdout.write(`== ${line}\n`)
}
