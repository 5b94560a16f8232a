import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cloudBySuffix } from '../src/vault/cloud.ts'
import { matrix, refusals } from './chart/matrix.ts'
import { at, type Json, parseJson, textAt } from './harness/json.ts'
import { ensureHelm } from './harness/tools.ts'
import { chartFolder, releaseName, type Values } from './product/chart.ts'

const root = join(import.meta.dirname, '..')
const golden = join(import.meta.dirname, 'chart', 'golden')

describe('the chart, rendered', () => {
  let program: string
  let home: string
  before(async () => {
    program = (await ensureHelm()).path('helm')
    home = mkdtempSync(join(tmpdir(), 'helm-'))
  })
  after(() => rmSync(home, { recursive: true }))

  const helm = (args: readonly string[], values: Values) => {
    const flags = [`--namespace=${releaseName}`, '--values=-']
    const env = { PATH: process.env.PATH, HOME: home }
    const input = JSON.stringify(values)
    const { status, stdout, stderr } = spawnSync(program, [...args, ...flags], {
      env,
      input,
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }

  for (const [name, values] of matrix) {
    test(`${name}: passes helm's lint`, () => {
      const { status, stdout, stderr } = helm(['lint', '--strict', chartFolder], values)
      assert.equal(status, 0, stdout + stderr)
      assert.doesNotMatch(stdout, /\[(WARNING|ERROR)\]/)
    })

    // UPDATE=1 writes what is rendered now, for a person to read in the diff.
    test(`${name}: is what chart/golden/${name}.yaml says`, () => {
      const { status, stdout, stderr } = helm(['template', releaseName, chartFolder], values)
      assert.equal(status, 0, stderr)
      const file = join(golden, `${name}.yaml`)
      const rendered = withoutCrds(stdout)
      if (process.env.UPDATE) writeFileSync(file, rendered)
      assert.equal(rendered, existsSync(file) ? readFileSync(file, 'utf8') : '')
    })
  }

  for (const { what, values, says } of refusals) {
    test(`refuses ${what}`, () => {
      const { status, stderr } = helm(['template', releaseName, chartFolder], values)
      assert.notEqual(status, 0)
      assert.match(stderr, says)
    })
  }

  test('every value has a description and a default', () => {
    const schema = parseJson(readFileSync(join(chartFolder, 'values.schema.json'), 'utf8'))
    const values = readFileSync(join(chartFolder, 'values.yaml'), 'utf8')
    const undescribed: string[] = []
    const unsaid: string[] = []
    visit(schema, [])
    assert.deepEqual({ undescribed, unsaid }, { undescribed: [], unsaid: ['global'] })

    function visit(node: Json, path: readonly string[]): void {
      for (const [name, child] of Object.entries(at(node, 'properties') ?? {})) {
        const here = [...path, name]
        if (at(child, 'description') === undefined) undescribed.push(here.join('.'))
        const line = new RegExp(`^${'  '.repeat(path.length)}${name}:`, 'm')
        if (!line.test(values)) unsaid.push(here.join('.'))
        visit(child, here)
      }
    }
  })

  test('the host suffixes are those of the clouds that the controller knows', () => {
    const schema = parseJson(readFileSync(join(chartFolder, 'values.schema.json'), 'utf8'))
    const suffixes = ['properties', 'controller', 'properties', 'vaultHostSuffixes'] as const
    assert.deepEqual(at(schema, ...suffixes, 'items', 'enum'), [...cloudBySuffix.keys()])
  })

  test('the CRDs are those of config/crd', () => {
    const read = (folder: string) =>
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')])
    assert.deepEqual(read(join(chartFolder, 'files', 'crds')), read(join(root, 'config', 'crd')))
  })

  test('its version is that of the program', () => {
    const version = textAt(parseJson(readFileSync(join(root, 'package.json'), 'utf8')), 'version')
    const chart = readFileSync(join(chartFolder, 'Chart.yaml'), 'utf8')
    assert.deepEqual(
      ['version', 'appVersion'].map((key) => new RegExp(`^${key}: (.+)$`, 'm').exec(chart)?.[1]),
      [version, version],
    )
  })
})

/** They are long, and compared with config/crd. */
function withoutCrds(rendered: string): string {
  const documents = rendered.split(/^---\n/m)
  return documents.filter((text) => !text.includes('kind: CustomResourceDefinition')).join('---\n')
}
