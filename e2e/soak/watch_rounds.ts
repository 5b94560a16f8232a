// The tests of the kube layer, one round after the other: node e2e/soak/watch_rounds.ts (ROUNDS=20)
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { spawnLeashed } from '../harness/leash.ts'
import { seconds } from '../harness/progress.ts'

const rounds = Number(process.env.ROUNDS ?? 20)
const root = join(import.meta.dirname, '..', '..')
const files = [
  ...filesOf('test/kube', /\.test\.ts$/),
  ...filesOf('e2e', /^(kube|lease|watch)_.*\.test\.ts$/),
]

const tookMs: number[] = []
const recoveries: number[] = []
for (let round = 1; round <= rounds; round++) {
  const started = performance.now()
  const { code, output } = await runTests()
  const took = performance.now() - started
  const recovered = numbersIn(output, /recovered after (\d+) ms/g)
  tookMs.push(took)
  recoveries.push(...recovered)
  say(
    `round ${round} of ${rounds}: ${code === 0 ? 'green' : 'RED'} in ${seconds(took)}; ` +
      `recovery ${spread(recovered)}; followed after ${numbersIn(output, /followed after (\d+) ms/g).join(', ')} ms`,
  )
  if (code === 0) continue
  say(output)
  process.exit(1)
}
say(
  `${rounds} rounds green, ${spread(tookMs)} each; ${recoveries.length} recoveries ${spread(recoveries)}`,
)

function runTests(): Promise<{ code: number | null; output: string }> {
  const flags = ['--test', '--test-concurrency=2', '--test-timeout=600000', '--test-reporter=spec']
  const args = [...flags, ...files]
  const { child } = spawnLeashed(process.execPath, args, ['ignore', 'pipe', 'pipe'], { cwd: root })
  child.ref()
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Uint8Array) => {
      output += Buffer.from(chunk).toString()
    })
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}

function filesOf(folder: string, name: RegExp): readonly string[] {
  const names = readdirSync(join(root, folder)).filter((each) => name.test(each))
  return names.sort().map((each) => join(folder, each))
}

function numbersIn(text: string, pattern: RegExp): readonly number[] {
  return [...text.matchAll(pattern)].map(([, number]) => Number(number))
}

function spread(ms: readonly number[]): string {
  const sorted = [...ms].sort((a, b) => a - b)
  const of = (share: number) =>
    Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN)
  return `p50 ${of(0.5)}, p95 ${of(0.95)}, max ${of(1)} ms`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
