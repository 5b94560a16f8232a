import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Metrics } from '../../src/server/metrics.ts'
import { nothing } from './observed.ts'

test('docs/operations.md lists each metric of ours with its labels, and no other', async () => {
  const file = join(import.meta.dirname, '..', '..', 'docs', 'operations.md')
  const rows = readFileSync(file, 'utf8').matchAll(/^\| `(akv_issuer_\w+)` \| ([^|]*)\|/gm)
  const listed = [...rows].map(([, name, labels = '']) => [name, labels.match(/\w+/g) ?? []])
  const { registry } = new Metrics(nothing)
  const metrics = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('akv_issuer_'))
  // The type of prom-client keeps the labels to itself.
  const ours = metrics.map((metric) => [metric.name, Reflect.get(metric, 'labelNames')])
  assert.deepEqual(listed.sort(), ours.sort())
})
