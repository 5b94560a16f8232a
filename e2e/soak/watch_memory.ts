// The memory of ten watches under faults that change every second, for six minutes: an hour of one
// watch in trouble. node e2e/soak/watch_memory.ts
import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { at, type Json, parseJson } from '../harness/json.ts'
import type { RunningProcess } from '../harness/process.ts'
import { megabytes, seconds } from '../harness/progress.ts'
import { startCluster } from '../harness/start_cluster.ts'
import {
  answer,
  anyOf,
  cutInsideChunk,
  expired,
  expiredEvent,
  resets,
  saysAndEnds,
  swallowed,
} from '../relay/faults.ts'
import { prepareRelays } from '../relay/followed.ts'
import { type Fault, FaultRelay } from '../relay/relay.ts'
import type { RelayedWatch } from '../relay/relayed_watch.ts'
import { Writer } from '../relay/writer.ts'

const watches = 10
const faults = Number(process.env.FAULTS ?? 360)
const everyMs = 1_000
/** Growth from the middle third to the last, over which the process is said to leak. */
const maxGrowth = 6e6

type FaultKind = readonly [first: (watch: RelayedWatch) => void, fault?: Fault]
const end = (watch: RelayedWatch) => watch.end()
const expiredWatch = answer('watch', 410, expired)
const kinds: readonly FaultKind[] = [
  [end],
  [(watch) => watch.reset()],
  [(watch) => watch.cutInsideChunk()],
  [(watch) => watch.freeze()],
  [end, expiredWatch],
  [end, saysAndEnds(expiredEvent)],
  [end, resets('watch')],
  [end, answer('watch', 500, 'boom')],
  [end, swallowed('watch')],
  [end, saysAndEnds('{"type":"ADDED","object\n')],
  [end, anyOf(expiredWatch, cutInsideChunk('list', '{"items":['))],
  [end, anyOf(expiredWatch, swallowed('list'))],
]

const began = performance.now()
const cluster = await startCluster({ certManager: false })
try {
  const ground = await prepareRelays(cluster)
  const { caPem, url } = cluster
  const relay = await FaultRelay.start({ url, caPem, serving: ground.serving })
  const folder = await mkdtemp(join(cluster.dir, 'pod-'))
  await writeFile(join(folder, 'token'), ground.token)
  await writeFile(join(folder, 'ca.crt'), caPem)
  const namespaces = await Promise.all(
    Array.from({ length: watches }, () => cluster.namespace('memory')),
  )
  const child = await cluster.run({
    name: 'reflectors',
    command: process.execPath,
    args: [
      '--expose-gc',
      join(import.meta.dirname, 'memory', 'reflectors.ts'),
      String(relay.port),
      folder,
      ...namespaces,
    ],
    readyWhen: () => relay.watches.length === watches,
  })
  const writers = namespaces.map((namespace) => new Writer(cluster, namespace, 400))
  for (let turn = 0; turn < faults; turn++) {
    const [first, fault] = kinds[turn % kinds.length] ?? [end]
    relay.fault = fault
    for (const watch of relay.watches) first(watch)
    await delay(everyMs)
    if (turn % 30 === 29) process.stdout.write(`${describe(samplesOf(child).at(-1))}\n`)
  }
  relay.fault = undefined
  await Promise.all(writers.map((writer) => writer.stop()))
  await delay(10_000)
  report(samplesOf(child))
  child.signal('SIGTERM')
  assert.deepEqual(await child.ended(), { code: 0, signal: null }, child.logTail())
  await relay.stop()
} finally {
  await cluster.stop()
}

function samplesOf(child: RunningProcess): readonly Json[] {
  return child
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => parseJson(line))
}

function report(samples: readonly Json[]): void {
  const third = Math.floor(samples.length / 3)
  const middle = median(samples.slice(third, 2 * third).map(rssOf))
  const last = median(samples.slice(2 * third).map(rssOf))
  process.stdout.write(
    `${faults} faults on ${watches} watches in ${seconds(performance.now() - began)}: RSS after gc ` +
      `${megabytes(rssOf(samples[0]))} at first, ${megabytes(middle)} in the middle third, ` +
      `${megabytes(last)} in the last\n${describe(samples.at(-1))}\n`,
  )
  assert.ok(last - middle < maxGrowth, `RSS grew by ${last - middle} bytes`)
}

function describe(sample: Json | undefined): string {
  const mb = (key: string) => megabytes(Number(at(sample, key) ?? 0))
  return (
    `RSS ${mb('rss')}, heap ${mb('heapUsed')}, external ${mb('external')}; ` +
    `${at(sample, 'told')} events, ${at(sample, 'watches')} watches, ${at(sample, 'failures')} failures`
  )
}

function rssOf(sample: Json | undefined): number {
  return Number(at(sample, 'rss'))
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
