import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { IssuerError } from '../../src/error.ts'
import { LineSplitter } from '../../src/kube/line_splitter.ts'

const encode = (text: string) => new TextEncoder().encode(text)

test('lines come out whole wherever the stream is cut, also inside a character', async () => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\n'))
  await fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(200)), (lines, cuts) => {
      const bytes = encode(lines.map((text) => `${text}\n`).join(''))
      const splitter = new LineSplitter(10_000)
      const found: string[] = []
      let start = 0
      for (const cut of [...cuts, bytes.length]) {
        const end = Math.min(bytes.length, start + cut)
        found.push(...splitter.push(bytes.subarray(start, end)))
        start = end
      }
      splitter.end()
      assert.deepEqual(found, lines)
    }),
  )
})

test('empty lines are left out', () => {
  assert.deepEqual(new LineSplitter(10).push(encode('\n\na\n\nb\n')), ['a', 'b'])
})

const refused: ReadonlyArray<{
  name: string
  act: (splitter: LineSplitter) => void
  message: string
}> = [
  {
    name: 'a stream that ends inside a line',
    act: (splitter) => {
      splitter.push(encode('a\nbc'))
      splitter.end()
    },
    message: 'the stream ended inside a line, after 2 of its bytes',
  },
  {
    name: 'a long line in one chunk',
    act: (splitter) => splitter.push(encode('123456789\n')),
    message: 'a line of the stream is longer than 8 bytes',
  },
  {
    name: 'a long line in many chunks, before its end is seen',
    act: (splitter) => {
      for (let i = 0; i < 9; i++) splitter.push(encode('1'))
    },
    message: 'a line of the stream is longer than 8 bytes',
  },
  {
    name: 'bytes that are not UTF-8',
    act: (splitter) => splitter.push(Uint8Array.of(0x61, 0xff, 0x0a)),
    message: 'a line of the stream is not UTF-8',
  },
]
for (const { name, act, message } of refused) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => act(new LineSplitter(8)),
      (error) => {
        assert.ok(error instanceof IssuerError)
        assert.deepEqual([error.code, error.message], ['KubeUnavailable', message])
        return true
      },
    )
  })
}
