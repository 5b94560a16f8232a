import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { retryClassByCode } from '../../src/error.ts'
import type { WaitReason } from '../../src/issuance/waits.ts'
import { Metrics } from '../../src/server/metrics.ts'
import { nothing } from './observed.ts'

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), 'utf8')
const metrics = new Metrics(nothing).registry
  .getMetricsAsArray()
  .filter(({ name }) => name.startsWith('akv_issuer_'))

test('docs/operations.md lists each metric of ours with its labels, and no other', () => {
  const rows = page.matchAll(/^\| `(akv_issuer_\w+)` \| ([^|]*)\|/gm)
  const listed = [...rows].map(([, name, labels = '']) => [name, labels.match(/\w+/g) ?? []])
  // The type of prom-client keeps the labels to itself.
  const ours = metrics.map((metric) => [metric.name, Reflect.get(metric, 'labelNames')])
  assert.deepEqual(listed.sort(), ours.sort())
})

test('its alerts ask for metrics and labels that there are', () => {
  const names = metrics.map(({ name }) => name)
  for (const [expression] of page.matchAll(/^ +expr: .*$/gm)) {
    for (const [, name = '', labels = ''] of expression.matchAll(
      /(akv_issuer_\w+)(?:\{(.*?)\})?/g,
    )) {
      const metric = metrics.find((one) => one.name === name.replace(/_(bucket|count|sum)$/, ''))
      assert.ok(metric !== undefined, `${name} is none of ${names.join(', ')}`)
      const known: unknown = Reflect.get(metric, 'labelNames')
      assert.ok(Array.isArray(known))
      for (const [, label] of labels.matchAll(/(\w+)[=!]~?=?"/g)) {
        assert.ok(known.includes(label), `${name} has no label ${label}: ${expression.trim()}`)
      }
    }
  }
})

test('the reasons to wait that it explains are reasons that there are', () => {
  const own: readonly WaitReason[] = ['NotApproved', 'IssuerNotProbed', 'KeySwapped', 'Answering']
  const reasons = new Set<string>([...own, ...Object.keys(retryClassByCode)])
  const table = page.slice(page.indexOf('## Why requests wait'), page.indexOf('## Alerts'))
  const explained = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) => [
    ...cell.matchAll(/`(\w+)`/g),
  ])
  assert.ok(explained.length > own.length)
  for (const [, reason = ''] of explained) assert.ok(reasons.has(reason), `no reason ${reason}`)
})
