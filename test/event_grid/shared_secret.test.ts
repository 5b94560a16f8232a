import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { sharedSecret } from '../../src/event_grid/shared_secret.ts'
import { type Log, type LogFields, silentLog } from '../../src/log.ts'
import { FakeClock } from '../fake_clock.ts'

const hex = '00112233445566778899aabbccddeeff'
const base64 = 'AAECAwQFBgcICQoLDA0ODw=='

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shared-secret-'))
})
after(() => rm(dir, { recursive: true }))

async function opened(text: string) {
  const file = join(dir, 'secret')
  await writeFile(file, text)
  const clock = new FakeClock()
  const warnings: LogFields[] = []
  const log: Log = { ...silentLog, warn: (_, fields = {}) => warnings.push(fields) }
  const check = await sharedSecret({ file, clock, log })
  const knows = async (token: string) => (await check(token)).kind === 'known'
  return { file, clock, check, knows, warnings }
}

test('the secret is known, and nothing else', async () => {
  const { check, knows } = await opened(`${hex}\n`)
  assert.equal(await knows(hex), true)
  for (const other of ['', 'x', hex.slice(1), `${hex}0`, hex.toUpperCase(), base64]) {
    assert.deepEqual(
      await check(other),
      { kind: 'refused', reason: 'the Bearer token is not the secret' },
      other,
    )
  }
})

test('the old and the new one are known while both are in the file', async () => {
  const { knows } = await opened(`${hex}\r\n${base64}\n`)
  assert.deepEqual([await knows(hex), await knows(base64)], [true, true])
})

test('a changed file counts within five seconds', async () => {
  const { file, clock, knows } = await opened(hex)
  await writeFile(file, base64)
  await clock.advance(4_999)
  assert.deepEqual([await knows(hex), await knows(base64)], [true, false])
  await clock.advance(1)
  assert.deepEqual([await knows(hex), await knows(base64)], [false, true])
})

test('a file that became unusable changes nothing, and is told of once', async () => {
  const { file, clock, knows, warnings } = await opened(hex)
  await writeFile(file, 'short')
  for (let look = 0; look < 3; look++) {
    await clock.advance(5_000)
    assert.equal(await knows(hex), true)
  }
  assert.deepEqual(
    warnings.map((fields) => fields.file),
    [file],
  )
  assert.ok(!JSON.stringify(warnings).includes(hex))
  await writeFile(file, base64)
  await clock.advance(5_000)
  assert.deepEqual([await knows(hex), await knows(base64)], [false, true])
})

const unusable: readonly (readonly [string, string, RegExp])[] = [
  ['an empty file', '\n', /has 0 lines, expected 1 to 4/],
  ['five secrets', `${hex}\n`.repeat(5), /has 5 lines, expected 1 to 4/],
  ['124 bits in hexadecimal', hex.slice(1), /^line 1 .* can not hold 128 bits/],
  ['126 bits in Base64', `${hex}\n${base64.slice(0, 21)}`, /^line 2 .* can not hold 128 bits/],
  ['a secret that no header carries', `${hex} ${hex}`, /^line 1 /],
]
for (const [what, text, words] of unusable) {
  test(`${what} is refused, without showing it`, async () => {
    await assert.rejects(opened(text), (error: Error) => {
      assert.match(error.message, words)
      assert.ok(!error.message.includes(hex.slice(0, 8)), error.message)
      return true
    })
  })
}

test('a file that is not there is named', async () => {
  const file = join(dir, 'missing')
  await assert.rejects(sharedSecret({ file, clock: new FakeClock(), log: silentLog }), {
    code: 'SpecInvalid',
    message: `the secret file ${file} cannot be read`,
  })
})
