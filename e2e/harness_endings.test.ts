import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { listAt, parseJson } from './harness/json.ts'
import { startProcess } from './harness/process.ts'
import {
  identify,
  isRunning,
  type ProcessIdentity,
  parseIdentity,
} from './harness/process_identity.ts'
import { endRegistered, register } from './harness/registry.ts'
import { startCluster } from './harness/start_cluster.ts'
import { until } from './harness/until.ts'

const starter = join(import.meta.dirname, 'harness', 'start_and_wait.ts')

test('two clusters side by side are apart, and leave no process when they stop', async () => {
  const options = { certManager: false } as const
  const [one, two] = await Promise.all([startCluster(options), startCluster(options)])
  const identities = [...one.processes, ...two.processes].map((process) => process.identity)
  await one.must('POST', '/api/v1/namespaces', { metadata: { name: 'only-in-one' } })
  const { code } = await two.api('GET', '/api/v1/namespaces/only-in-one')
  assert.equal(code, 404)

  await Promise.all([one.stop(), two.stop()])
  assert.deepEqual(identities.filter(isRunning), [])
  assert.equal(existsSync(join(one.dir, 'etcd')), false, 'only logs are left')
})

for (const signal of ['SIGKILL', 'SIGINT'] as const) {
  test(`nothing is left when whoever started a cluster ends by ${signal}`, async () => {
    const parent = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface(parent.stdout)
    const [line] = await once(lines, 'line')
    const identities = listAt(parseJson(String(line)))
      .map(parseIdentity)
      .filter(isIdentity)
    assert.deepEqual(
      identities.map(isRunning),
      [true, true],
      'etcd and kube-apiserver run beforehand',
    )
    parent.kill(signal)
    await until('both gone', () => !identities.some(isRunning), 3_000)
  })
}

test('a released cluster outlives its handles and is ended by its registry alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'))
  const file = join(folder, 'processes.json')
  const cluster = await startCluster({ certManager: false })
  const identities = cluster.processes.map((process) => process.identity)
  register(file, [cluster])
  await cluster.release()
  assert.deepEqual(identities.map(isRunning), [true, true])

  assert.deepEqual(await endRegistered(file), ['kube-apiserver', 'etcd'])
  assert.deepEqual(identities.map(isRunning), [false, false])
  assert.equal(existsSync(cluster.dir), false)
  assert.deepEqual(await endRegistered(file), [], 'a second time there is nothing to end')
  rmSync(folder, { recursive: true })
})

test('a cluster that cannot start says why and where its logs are', async () => {
  const attempt = startCluster({ certManager: false, apiServerArgs: ['--no-such-flag'] })
  await assert.rejects(attempt, (error: Error) => {
    assert.match(error.message, /kube-apiserver ended with exit code 1/)
    assert.match(error.message, /unknown flag: --no-such-flag/)
    const logs = /^logs: (.+)$/m.exec(error.message)?.[1]
    assert.ok(logs !== undefined && existsSync(join(logs, 'kube-apiserver.log')))
    return true
  })
})

describe('a supervised process', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'process-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const shell = (name: string, script: string) => ({
    name,
    command: 'sh',
    args: ['-c', script],
    logFile: join(folder, `${name}.log`),
  })

  test('takes its own children along', async () => {
    const process = await startProcess({
      ...shell('parent', 'sleep 1000 & echo "child $!"; wait'),
      readyWhen: (output) => output.includes('child'),
    })
    const child = identify(Number(/child (\d+)/.exec(process.output())?.[1]))
    assert.ok(child && isRunning(child))
    await process.kill()
    await until('child gone', () => !isRunning(child), 2_000)
  })

  test('is killed after its grace time when it ignores TERM', async () => {
    const process = await startProcess({
      ...shell('stubborn', "trap '' TERM; echo ready; while :; do sleep 1; done"),
      readyWhen: (output) => output.includes('ready'),
      graceMs: 200,
    })
    await process.stop()
    assert.deepEqual(process.exit, { code: null, signal: 'SIGKILL' })
  })

  test('ends in order though it is paused', async () => {
    const process = await startProcess({
      ...shell('paused', "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"),
      readyWhen: (output) => output.includes('ready'),
    })
    process.pause()
    await process.stop()
    assert.deepEqual(process.exit, { code: 7, signal: null })
  })

  test('sees only the environment it is given, and after a restart only its new output', async () => {
    const process = await startProcess({
      ...shell(
        'env',
        'env | cut -d= -f1 | grep -v -e PWD -e _ | sort | tr "\\n" " "; echo end; sleep 1000',
      ),
      env: { PATH: '/usr/bin:/bin', FIRST: '1' },
      readyWhen: (output) => output.includes('end'),
    })
    assert.equal(process.output(), 'FIRST PATH end\n')
    await process.restart({ env: { PATH: '/usr/bin:/bin', SECOND: '2' } })
    assert.equal(process.output(), 'PATH SECOND end\n')
    await process.stop()
  })

  test('that ends before it is ready is reported with the end of its log', async () => {
    const start = startProcess({
      ...shell('early', 'echo no such port >&2; exit 3'),
      readyWhen: () => false,
    })
    await assert.rejects(start, /early ended with exit code 3\nlast lines of .*\n {2}no such port$/)
  })
})

function isIdentity(value: ProcessIdentity | undefined): value is ProcessIdentity {
  return value !== undefined
}
