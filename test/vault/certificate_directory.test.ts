import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { silentLog } from '../../src/log.ts'
import type { Random } from '../../src/random.ts'
import { CertificateDirectory, type DirectoryEntry } from '../../src/vault/certificate_directory.ts'
import type { CertificateVersion } from '../../src/vault/vault.ts'
import { FakeClock } from '../fake_clock.ts'
import { seededRandom } from '../seeded_random.ts'
import { FakeVault } from './fake_vault.ts'

const minute = 60_000
const signal = new AbortController().signal

/** Runs a directory that watches `myapp`, on a clock that a test moves. */
function watching(options: { readonly names?: readonly string[]; readonly random?: Random } = {}) {
  const clock = new FakeClock()
  const vault = new FakeVault()
  const place = { vault, vaultHost: 'contoso.vault.azure.net' }
  const told: string[] = []
  const random = options.random ?? { bytes: (n) => new Uint8Array(n), fraction: () => 0.5 }
  const directory = new CertificateDirectory({
    clock,
    random,
    log: silentLog,
    pollIntervalMs: 5 * minute,
    onChange: (_, { name, current, trouble }) => {
      told.push(`${name} ${current?.version ?? 'none'}${trouble ? ` (${trouble.code})` : ''}`)
    },
  })
  const names = options.names ?? ['myapp']
  const start = async () => {
    directory.watch('issuer', place, names)
    void directory.run(signal)
    await clock.advance(0)
  }
  const entry = (): DirectoryEntry | undefined => directory.entry(place, 'myapp')
  return { clock, vault, place, told, directory, start, entry }
}

test('a certificate costs one request an interval, whoever wants it', async () => {
  const { clock, vault, place, directory, start } = watching()
  vault.put('myapp', 'v1')
  await start()
  directory.watch('another', place, ['MyApp'])
  const entry = await directory.read('third', place, 'myapp', signal)
  assert.equal(entry.current?.version, 'v1')
  await clock.advance(60 * minute)
  assert.deepEqual(new Set(vault.calls), new Set(['latest myapp']))
  assert.ok(vault.calls.length >= 12 && vault.calls.length <= 14, String(vault.calls.length))
})

test('1,000 certificates cost at most 4 requests a second, and come evenly', async () => {
  const names = Array.from({ length: 1000 }, (_, index) => `c${index}`)
  const { clock, vault, start } = watching({ names, random: seededRandom(1) })
  for (const name of names) vault.put(name, 'v1')
  await start()
  assert.equal(vault.calls.length, 1000)
  const perMinute: number[] = []
  for (let passed = 0; passed < 15; passed++) {
    const before = vault.calls.length
    await clock.advance(minute)
    perMinute.push(vault.calls.length - before)
  }
  const sum = perMinute.reduce((a, b) => a + b)
  assert.ok(sum / (15 * 60) <= 4, `${sum / (15 * 60)} a second`)
  assert.ok(Math.max(...perMinute) <= 5 * 60, `${perMinute}`)
})

test('a new version is told once, and a notice brings it at once', async () => {
  const { clock, vault, told, directory, start } = watching()
  vault.put('myapp', 'v1')
  await start()
  vault.put('myapp', 'v2')
  await clock.advance(4 * minute)
  assert.deepEqual(told, ['myapp v1', 'myapp v2'])
  vault.put('myapp', 'v3')
  assert.equal(directory.notice('contoso.vault.azure.net', 'MYAPP'), true)
  assert.equal(directory.notice('contoso.vault.azure.net', 'other'), false)
  assert.equal(directory.notice('fabrikam.vault.azure.net', 'myapp'), false)
  await clock.advance(0)
  assert.deepEqual(told, ['myapp v1', 'myapp v2', 'myapp v3'])
})

const unusable: ReadonlyArray<readonly [string, Partial<CertificateVersion>, RegExp]> = [
  ['disabled', { enabled: false }, /version v3 of certificate "myapp" is disabled; version v2/],
  ['expired', { notAfter: 0 }, /v3 .* expired at 1970-01-01T00:00:00Z; version v2 serves on/],
  [
    'not valid yet',
    { notBefore: Date.parse('2026-11-22T13:00:00Z') },
    /v3 .* is not valid before 2026-11-22T13:00:00Z; version v2 serves on/,
  ],
  ['no certificate', { der: Uint8Array.of(0x30, 0) }, /v3 .* cannot be used: .*; version v2/],
]
for (const [name, parts, words] of unusable) {
  test(`a newest version that is ${name} is passed over, with the reason, for the one before`, async () => {
    const { vault, start, entry } = watching()
    vault.put('myapp', 'v1')
    vault.put('myapp', 'v2')
    vault.put('myapp', 'v3', parts)
    await start()
    assert.equal(entry()?.current?.version, 'v2')
    assert.match(entry()?.trouble?.message ?? '', words)
  })
}

test('a version is taken up when it becomes valid, not an interval later', async () => {
  const { clock, vault, start, entry } = watching()
  vault.put('myapp', 'v1')
  vault.put('myapp', 'v2', { notBefore: clock.now() + 2_000 })
  await start()
  assert.equal(entry()?.current?.version, 'v1')
  await clock.advance(2_001)
  assert.equal(entry()?.current?.version, 'v2')
})

test('a first version that is still being made is not there yet, and not disabled', async () => {
  const { vault, start, entry } = watching()
  vault.put('myapp', '', { enabled: false, der: undefined })
  await start()
  assert.equal(entry()?.current, undefined)
  assert.match(entry()?.trouble?.message ?? '', /^the first version .* is still being made/)
})

test('a deleted certificate is handed out no more; a recovered one is again', async () => {
  const { clock, vault, told, start } = watching()
  vault.put('myapp', 'v1')
  await start()
  const versions = vault.versions.get('myapp') ?? []
  vault.versions.clear()
  await clock.advance(5 * minute)
  vault.versions.set('myapp', versions)
  await clock.advance(2 * minute)
  assert.deepEqual(told, ['myapp v1', 'myapp none (VaultNotFound)', 'myapp v1'])
})

test('passing trouble takes nothing back, and is asked about at growing distances', async () => {
  const { clock, vault, start, entry } = watching()
  vault.put('myapp', 'v1')
  await start()
  vault.failure = new IssuerError('VaultUnavailable', 'HTTP 503')
  await clock.advance(3 * minute)
  assert.equal(entry()?.current?.version, 'v1')
  assert.equal(entry()?.trouble?.code, 'VaultUnavailable')
  const before = vault.calls.length
  await clock.advance(60 * minute)
  assert.ok(vault.calls.length - before < 25, String(vault.calls.length - before))
  vault.failure = undefined
  await clock.advance(6 * minute)
  assert.equal(entry()?.trouble, undefined)
})

test('a throttled poll waits for as long as Key Vault asks', async () => {
  const { clock, vault, directory, start } = watching()
  vault.put('myapp', 'v1')
  await start()
  vault.failure = new IssuerError('VaultThrottled', 'HTTP 429', { retryAfterMs: 20_000 })
  directory.notice('contoso.vault.azure.net', 'myapp')
  await clock.advance(0)
  const before = vault.calls.length
  await clock.advance(19_000)
  assert.equal(vault.calls.length, before)
  await clock.advance(2_000)
  assert.equal(vault.calls.length, before + 1)
})

test('what nobody wants any more is not polled', async () => {
  const { clock, vault, place, directory, start, entry } = watching()
  vault.put('myapp', 'v1')
  await start()
  directory.watch('issuer', place, [])
  const before = vault.calls.length
  await clock.advance(60 * minute)
  assert.equal(vault.calls.length, before)
  assert.equal(entry(), undefined)
})
