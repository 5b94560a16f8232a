import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

/** docs/dev_vault.md lists every contract test with the source of what it holds, and no other. */

const contract = new URL('contract/', import.meta.url)
const document = new URL('../../docs/dev_vault.md', import.meta.url)
const marks = new Set(['recorded', 'documented', 'reported', 'observed', 'believed'])

interface Row {
  readonly mark: string
  readonly name: string
  readonly devOnly: boolean
}

function rows(): readonly Row[] {
  const lines = readFileSync(document, 'utf8').split('\n')
  const [, , ...table] = lines.filter((line) => line.startsWith('| '))
  return table.map((line) => {
    const [, , mark = '', cell = ''] = line.split('|').map((text) => text.trim())
    return { mark, name: cell.replace(/ \(dev\)$/, ''), devOnly: cell.endsWith(' (dev)') }
  })
}

function tests(): readonly Omit<Row, 'mark'>[] {
  return readdirSync(contract)
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) => {
      const source = readFileSync(new URL(file, contract), 'utf8')
      return [...source.matchAll(/^test\(\s*(['"])(.+?)\1,\s*(devOnly)?/gm)].map(
        ([, , name = '', devOnly]) => ({ name, devOnly: devOnly !== undefined }),
      )
    })
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name.localeCompare(other.name)
}

test('the table of the dev vault names each contract test and none that is not there', () => {
  assert.deepEqual(
    rows()
      .map(({ name, devOnly }) => ({ name, devOnly }))
      .sort(byName),
    [...tests()].sort(byName),
  )
})

test('each line says where the behaviour is known from', () => {
  const unknown = rows().filter(({ mark }) => !marks.has(mark))
  assert.deepEqual(unknown, [])
  assert.ok(rows().length > 50)
})
