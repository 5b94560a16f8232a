import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type DevVaultOptions, startDevVault } from '../../src/devvault/dev_vault.ts'
import { FakeClock } from '../fake_clock.ts'
import { raw, stringAt, tokenOf } from './here.ts'

const root = mkdtempSync(join(tmpdir(), 'akv-devvault-store-'))
after(() => rmSync(root, { recursive: true }))

/** A directory with the state of a vault that had one of everything; `clock` is ahead by a day. */
async function filled(name: string, options: DevVaultOptions = {}) {
  const stateDir = join(root, name)
  const vault = await startDevVault({ stateDir, ...options })
  const { control } = vault
  const paths: readonly (readonly [string, string, unknown])[] = [
    ['POST', 'keys/ca/create', { kty: 'EC', attributes: { exp: 2_000_000_000 }, tags: { a: 'b' } }],
    ['PUT', 'secrets/plain', { value: 'x' }],
    ['PUT', 'secrets/gone', { value: 'x' }],
    ['DELETE', 'secrets/gone', {}],
    ['POST', 'certificates/web/create', { policy: policyOf('web', 'Self') }],
    ['POST', 'certificates/manual/create', { policy: policyOf('manual', 'Unknown') }],
  ]
  for (const [method, path, body] of paths) {
    const { status } = await control.manage('contoso', method, path, body)
    assert.ok(status < 300, path)
  }
  control.clock.advance(86_400_000)
  return { stateDir, vault }
}

function policyOf(name: string, issuer: string) {
  return {
    key_props: { kty: 'EC' },
    x509_props: { subject: `CN=${name}`, sans: { dns_names: [name] } },
    issuer: { name: issuer },
  }
}

describe('a state directory', () => {
  test('brings everything back after a restart, the CA and the identities too', async () => {
    const { stateDir, vault } = await filled('restart', { vaults: ['contoso', 'fabrikam'] })
    const paths = [
      'keys/ca',
      'secrets/plain',
      'deletedsecrets/gone',
      'certificates/web',
      'secrets/web',
      'certificates/web/pending',
      'certificates/manual/pending',
    ]
    const show = async ({ control }: typeof vault) =>
      await Promise.all(paths.map((path) => control.manage('contoso', 'GET', path)))
    const before = await show(vault)
    const ca = readFileSync(vault.info.caFile, 'utf8')
    const token = await tokenOf(vault)
    await vault.stop()

    const again = await startDevVault({ stateDir })
    try {
      assert.deepEqual(await show(again), before)
      assert.equal(readFileSync(again.info.caFile, 'utf8'), ca)
      assert.deepEqual(again.info.identities, vault.info.identities)
      assert.deepEqual(again.info.vaultHosts, vault.info.vaultHosts)
      const answer = await raw(again, { path: '/keys/ca?api-version=2025-07-01', token })
      assert.equal(answer.status, 200)
    } finally {
      await again.stop()
    }
  })

  test('holds what was answered, for its owner alone, and no rest of a write', async () => {
    const { stateDir, vault } = await filled('durable')
    const file = join(stateDir, 'state.json')
    chmodSync(file, 0o644)
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        vault.control.manage('contoso', 'PUT', `secrets/s-${index}`, { value: `value-${index}` }),
      ),
    )
    // The process could die here: nothing waits to be written.
    const text = readFileSync(file, 'utf8')
    for (let index = 0; index < 20; index += 1) assert.match(text, new RegExp(`"value-${index}"`))
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(stateDir).sort(), ['ca.pem', 'state.json'])
    const { mtimeMs } = statSync(file)
    await vault.control.manage('contoso', 'GET', 'keys/ca')
    const body = { alg: 'ES256', value: Buffer.alloc(32).toString('base64url') }
    assert.equal((await vault.control.manage('contoso', 'POST', 'keys/ca/sign', body)).status, 200)
    assert.equal(statSync(file).mtimeMs, mtimeMs)
    await vault.stop()
  })

  test('that is damaged, of another version or another tenant is refused with words', async () => {
    const { stateDir, vault } = await filled('damaged', { clock: new FakeClock() })
    await vault.stop()
    const file = join(stateDir, 'state.json')
    const good = readFileSync(file, 'utf8')
    const cases: readonly (readonly [string, RegExp])[] = [
      [good.slice(0, good.length / 2), /is damaged: it is not JSON/],
      ['', /is damaged: it is not JSON/],
      ['{"a": 1}', /is none of a dev vault/],
      [good.replace('"version":1,', '"version":2,'), /has version 2, this program reads 1/],
      [good.replace('"value":"x"', '"value":"y"'), /is damaged: its checksum does not fit/],
    ]
    for (const [text, message] of cases) {
      writeFileSync(file, text)
      await assert.rejects(startDevVault({ stateDir }), (error: Error) => {
        assert.match(error.message, message)
        assert.match(error.message, /state\.json".*remove it to begin with an empty vault$/)
        return true
      })
      assert.equal(readFileSync(file, 'utf8'), text)
    }
    writeFileSync(file, good)
    const tenantId = '99999999-0000-0000-0000-000000000000'
    await assert.rejects(startDevVault({ stateDir, tenantId }), /the state is of tenant 1111/)
    const options = { stateDir, clock: new FakeClock() }
    const again = await startDevVault(options)
    const secret = await again.control.manage('contoso', 'GET', 'secrets/plain')
    assert.equal(stringAt(secret.body, 'value'), 'x')
    await again.stop()
  })
})
